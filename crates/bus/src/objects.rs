//! Large things with a name: snapshots and attachments.

use std::io::Cursor;
use std::time::Duration;

use async_nats::jetstream::object_store::{
    Config, DeleteErrorKind, GetErrorKind, InfoErrorKind, ObjectStore,
};
use async_nats::jetstream::stream::StorageType;
use bytes::Bytes;
use futures_util::TryStreamExt;
use protocol::SubjectToken;
use tokio::io::AsyncReadExt;

use crate::connection::Bus;
use crate::streams::not_found;

/// Longest that reading or writing one object may take.
const TRANSFER_MAX: Duration = Duration::from_secs(120);

/// Why an object could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// No answer, a full store, or a transfer cut short; fate: retry.
    #[error("{doing} object {name:?}: {reason}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// Which object, or the store.
        name: String,
        /// What the server or the connection said.
        reason: String,
    },
}

fn unavailable(doing: &'static str, name: &str, reason: &dyn std::fmt::Display) -> ObjectError {
    ObjectError::Unavailable { doing, name: name.to_owned(), reason: reason.to_string() }
}

/// A store of objects. Clones share the connection.
#[derive(Clone)]
pub struct Objects {
    store: ObjectStore,
    name: SubjectToken,
}

impl Bus {
    /// Opens the store, making it with at most `max_bytes` if it is not there.
    ///
    /// # Errors
    /// [`ObjectError`]; fate: retry.
    pub async fn ensure_objects(&self, name: &SubjectToken, max_bytes: u64) -> Result<Objects, ObjectError> {
        self.ensure_objects_for(name, max_bytes, Duration::ZERO).await
    }

    /// The same of a store that keeps nothing for longer than `max_age`, unless that is nothing.
    pub(crate) async fn ensure_objects_for(
        &self,
        name: &SubjectToken,
        max_bytes: u64,
        max_age: Duration,
    ) -> Result<Objects, ObjectError> {
        let lies_in = format!("OBJ_{name}");
        match self.js.get_stream(&lies_in).await {
            Ok(_) => {
                let store = self.js.get_object_store(name.as_str()).await;
                let store = store.map_err(|error| unavailable("open the store of", name.as_str(), &error))?;
                let objects = Objects { store, name: name.clone() };
                self.raise_replicas(&objects).await?;
                return Ok(objects);
            }
            Err(error) if not_found(&error) => {}
            // While its servers choose who leads it, it is there: whoever may only use it is not to try to make it.
            Err(error) => return Err(unavailable("look for the store of", name.as_str(), &error)),
        }
        let config = Config {
            bucket: name.as_str().to_owned(),
            max_bytes: i64::try_from(max_bytes).unwrap_or(i64::MAX),
            max_age,
            storage: StorageType::File,
            num_replicas: self.replicas,
            ..Config::default()
        };
        let made = self.js.create_object_store(config).await;
        made.map(|store| Objects { store, name: name.clone() })
            .map_err(|error| unavailable("make the store of", name.as_str(), &error))
    }

    /// A store that fewer servers keep than is wanted is kept by more from now on.
    async fn raise_replicas(&self, objects: &Objects) -> Result<(), ObjectError> {
        if self.replicas == 1 {
            return Ok(());
        }
        let name = objects.stream_name();
        let stream =
            self.js.get_stream(&name).await.map_err(|error| unavailable("look at", &name, &error))?;
        let found = stream.cached_info().config.clone();
        if found.num_replicas < self.replicas {
            let more = async_nats::jetstream::stream::Config { num_replicas: self.replicas, ..found };
            self.js.update_stream(more).await.map_err(|error| unavailable("replicate", &name, &error))?;
        }
        Ok(())
    }
}

impl Objects {
    /// The stream that the objects lie in.
    pub(crate) fn stream_name(&self) -> String {
        format!("OBJ_{}", self.name)
    }

    /// Stores an object under a name, replacing what was there when it is complete.
    ///
    /// # Errors
    /// [`ObjectError`]; fate: retry.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<(), ObjectError> {
        let mut reader = Cursor::new(bytes);
        match tokio::time::timeout(TRANSFER_MAX, self.store.put(name, &mut reader)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(unavailable("store", name, &error)),
            Err(error) => Err(unavailable("store", name, &error)),
        }
    }

    /// Reads an object; `None` if there is none of that name. The digest is checked.
    ///
    /// # Errors
    /// [`ObjectError`]; fate: retry.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>, ObjectError> {
        let read = async {
            let mut object = match self.store.get(name).await {
                Ok(object) => object,
                Err(error) if matches!(error.kind(), GetErrorKind::NotFound) => return Ok(None),
                Err(error) => return Err(unavailable("read", name, &error)),
            };
            let mut bytes = Vec::with_capacity(object.info().size);
            object.read_to_end(&mut bytes).await.map_err(|error| unavailable("read", name, &error))?;
            Ok(Some(Bytes::from(bytes)))
        };
        tokio::time::timeout(TRANSFER_MAX, read).await.map_err(|error| unavailable("read", name, &error))?
    }

    /// Whether there is an object of that name.
    ///
    /// # Errors
    /// [`ObjectError`]; fate: retry.
    pub async fn has(&self, name: &str) -> Result<bool, ObjectError> {
        match self.store.info(name).await {
            Ok(info) => Ok(!info.deleted),
            Err(error) if matches!(error.kind(), InfoErrorKind::NotFound) => Ok(false),
            Err(error) => Err(unavailable("look for", name, &error)),
        }
    }

    /// Deletes an object; one that is not there is no error.
    ///
    /// # Errors
    /// [`ObjectError`]; fate: retry.
    pub async fn delete(&self, name: &str) -> Result<(), ObjectError> {
        match self.store.delete(name).await {
            Ok(()) => Ok(()),
            Err(error) if matches!(error.kind(), DeleteErrorKind::NotFound) => Ok(()),
            Err(error) => Err(unavailable("delete", name, &error)),
        }
    }

    /// The names of all objects.
    ///
    /// # Errors
    /// [`ObjectError`]; fate: retry.
    pub async fn names(&self) -> Result<Vec<String>, ObjectError> {
        let list = self.store.list().await.map_err(|error| unavailable("list", "*", &error))?;
        let names = list.map_ok(|info| info.name).try_collect::<Vec<String>>();
        match tokio::time::timeout(TRANSFER_MAX, names).await {
            Ok(Ok(names)) => Ok(names),
            Ok(Err(error)) => Err(unavailable("list", "*", &error)),
            Err(error) => Err(unavailable("list", "*", &error)),
        }
    }
}
