//! What the supervised server keeps in its folder, and where its program is found.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::connection::{BusSettings, Credentials, Secret};
use crate::connection::{SERVER_VERSION_MIN, version_of};
use crate::master_key::{random_bytes, write_private};
use crate::server::{ServerError, ServerOptions};
use crate::server_users::{ServerUser, users_block};

const PROGRAM: &str = "nats-server";
const USER: &str = "winterband";
const USERS: &str = "users.json";
/// The folder of the streams, in the data folder.
pub(crate) const STORE: &str = "store";

/// Below those that Linux gives to whoever connects (`net.ipv4.ip_local_port_range`).
const OWN_PORTS: Range<u16> = 20_000..32_768;

/// Port and password, made at the first start and kept, so that a restart keeps the address.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Access {
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Access {
    /// Where the server is and how to sign in.
    pub(crate) fn settings(&self) -> BusSettings {
        let (user, password) = (self.user.clone(), Secret::new(&self.password));
        BusSettings {
            url: format!("nats://127.0.0.1:{}", self.port),
            credentials: Credentials::Password { user, password },
            name: "winterband".into(),
            authority: None,
        }
    }
}

/// The files of one data folder.
#[derive(Clone)]
pub(crate) struct Files {
    dir: PathBuf,
}

impl Files {
    pub(crate) fn new(dir: &Path) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Folder { path: dir.display().to_string(), source };
        std::fs::create_dir_all(dir).map_err(failed)?;
        // An absolute path names the folder on the server's command line, by which an orphan is known.
        Ok(Self { dir: std::fs::canonicalize(dir).map_err(failed)? })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("nats-server.conf")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path("nats-server.log")
    }

    pub(crate) fn output(&self) -> PathBuf {
        self.path("nats-server.out")
    }

    fn failed(&self, name: &str) -> impl Fn(io::Error) -> ServerError + use<> {
        let path = self.path(name).display().to_string();
        move |source| ServerError::Folder { path: path.clone(), source }
    }

    /// Takes the folder for this process alone; the lock ends with the process, however that ends.
    pub(crate) fn lock(&self) -> Result<File, ServerError> {
        let failed = self.failed("lock");
        let file = File::create(self.path("lock")).map_err(&failed)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => Err(ServerError::InUse(self.dir.display().to_string())),
            Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Reads port and password, or makes them.
    pub(crate) fn access(&self) -> Result<Access, ServerError> {
        let failed = self.failed("access.json");
        let path = self.path("access.json");
        match std::fs::read(&path) {
            Ok(bytes) => return serde_json::from_slice(&bytes).map_err(|error| failed(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let random: [u8; 24] = random_bytes().ok_or_else(|| failed(io::Error::other("no random bytes")))?;
        let port = free_port().ok_or_else(|| failed(io::Error::other("no port of this machine is free")))?;
        let access = Access { port, user: USER.into(), password: URL_SAFE_NO_PAD.encode(random) };
        let text = serde_json::to_vec(&access).map_err(|error| failed(error.into()))?;
        write_private(&path, &text).map_err(&failed)?;
        Ok(access)
    }

    /// Writes the server's configuration; it holds the password, so only the owner may read it.
    pub(crate) fn write_config(&self, access: &Access, options: &ServerOptions) -> Result<(), ServerError> {
        let own = format!("{{ user: {}, password: {} }}", quoted(&access.user), quoted(&access.password));
        let text = format!(
            "# Written at every start, and when an integration comes, changes or goes.\n\
             server_name: winterband\n\
             listen: \"127.0.0.1:{}\"\n\
             max_payload: 8MB\n\
             max_pending: 256MB\n\
             write_deadline: \"10s\"\n\
             log_file: {}\n\
             logfile_size_limit: 16MB\n\
             logfile_max_num: 4\n\
             {}\n\
             jetstream {{ store_dir: {}, sync_interval: \"100ms\", max_mem: 256MB, max_file: {} }}",
            access.port,
            quoted(&self.log().display().to_string()),
            users_block(&own, &self.users()),
            quoted(&self.path(STORE).display().to_string()),
            options.max_store_bytes,
        );
        write_private(&self.config(), text.as_bytes()).map_err(self.failed("nats-server.conf"))
    }

    /// Who else may come in. Kept, because clients that are turned away while the server starts do not all come back.
    pub(crate) fn users(&self) -> Vec<ServerUser> {
        let Ok(text) = std::fs::read(self.path(USERS)) else { return Vec::new() };
        serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::error!(%error, "the list of integrations does not read: none is let in until it is made anew");
            Vec::new()
        })
    }

    /// Keeps who else may come in.
    pub(crate) fn keep_users(&self, users: &[ServerUser]) -> Result<(), ServerError> {
        let failed = self.failed(USERS);
        let text = serde_json::to_vec(users).map_err(|error| failed(error.into()))?;
        write_private(&self.path(USERS), &text).map_err(failed)
    }

    pub(crate) fn write_pid(&self, pid: u32) {
        if let Err(error) = std::fs::write(self.path("pid"), pid.to_string()) {
            tracing::warn!(%error, "pid of nats-server not written");
        }
    }

    /// The server of a former life of this folder, if it still runs: same pid, and our configuration on its command line.
    pub(crate) fn orphan(&self) -> Option<u32> {
        let pid: u32 = std::fs::read_to_string(self.path("pid")).ok()?.trim().parse().ok()?;
        self.is_ours(pid).then_some(pid)
    }

    /// Whether the process runs with our configuration.
    pub(crate) fn is_ours(&self, pid: u32) -> bool {
        let Ok(command_line) = std::fs::read(format!("/proc/{pid}/cmdline")) else { return false };
        let config = self.config();
        command_line.split(|byte| *byte == 0).any(|word| word == config.as_os_str().as_encoded_bytes())
    }

    /// The last lines of log and output, for an error message.
    pub(crate) fn last_words(&self) -> String {
        let tail = |path: PathBuf| {
            let text = std::fs::read(path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines: Vec<&str> = text.lines().rev().take(3).collect();
            lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
        };
        [tail(self.output()), tail(self.log())]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(" | ")
    }
}

/// A port for good. None of those that the system gives to whoever connects: while we are down, one of them could be another program's.
fn free_port() -> Option<u16> {
    const TRIES: usize = 64;
    (0..TRIES).find_map(|_| {
        let port = OWN_PORTS.start + u16::from_be_bytes(random_bytes()?) % (OWN_PORTS.end - OWN_PORTS.start);
        TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
    })
}

/// A string of the server's configuration language.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Finds the program: `NATS_SERVER_BIN`, then PATH, then the tools folder; and refuses one that is too old.
pub(crate) fn find_program(options: &ServerOptions) -> Result<PathBuf, ServerError> {
    let named = options.program.clone().or_else(|| std::env::var_os("NATS_SERVER_BIN").map(PathBuf::from));
    let program = match named {
        Some(named) if is_executable(&named) => named,
        Some(named) => return Err(ServerError::NotExecutable(named.display().to_string())),
        None => {
            let folders = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&folders)
                .chain(options.tools_dir.clone())
                .map(|folder| folder.join(PROGRAM))
                .find(|candidate| is_executable(candidate))
                .ok_or(ServerError::NotFound)?
        }
    };
    let output = Command::new(&program)
        .arg("--version")
        .output()
        .map_err(|source| ServerError::Spawn { program: program.display().to_string(), source })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = text.split_whitespace().last().unwrap_or_default().to_owned();
    match version_of(&found) {
        Some(version) if version >= SERVER_VERSION_MIN => Ok(program),
        _ => Err(ServerError::TooOld { program: program.display().to_string(), found }),
    }
}

pub(crate) fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_serves_one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path()).unwrap();
        let held = files.lock().unwrap();
        assert!(matches!(files.lock(), Err(ServerError::InUse(_))));
        drop(held);
        assert!(files.lock().is_ok());
    }

    #[test]
    fn port_and_password_stay() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path()).unwrap();
        let (first, second) = (files.access().unwrap(), files.access().unwrap());
        assert_eq!((first.port, &first.password), (second.port, &second.password));
        let mode = std::fs::metadata(files.path("access.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_old_server_is_refused_with_advice() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("nats-server");
        std::fs::write(&program, "#!/bin/sh\necho nats-server: v2.9.10\n").unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let options = ServerOptions { program: Some(program), ..ServerOptions::default() };
        let error = find_program(&options).unwrap_err();
        assert!(matches!(&error, ServerError::TooOld { found, .. } if found == "v2.9.10"));
        assert!(error.to_string().contains("pip install"), "{error}");
    }

    #[test]
    fn a_stranger_with_our_pid_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path()).unwrap();
        files.write_pid(std::process::id());
        assert_eq!(files.orphan(), None);
    }
}
