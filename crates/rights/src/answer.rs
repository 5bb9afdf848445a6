//! What other roles ask on behalf of people.

use std::sync::Arc;

use bus::{BegunExport, Request};
use protocol::rights::{About, Asker, ErasureStep, RightsAnswer, RightsQuestion};
use protocol::{ErasureId, ExportId, Hash128};

use crate::Role;
use crate::gather::Gathering;

impl Role {
    /// Answers one question; one that cannot be read gets no answer.
    pub(crate) async fn answer(self: &Arc<Self>, request: Request) {
        let question = match serde_json::from_slice::<RightsQuestion>(&request.payload) {
            Ok(question) => question,
            Err(error) => {
                tracing::warn!(
                    line = error.line(),
                    column = error.column(),
                    "a question about rights does not read"
                );
                return;
            }
        };
        let answer = self.answer_to(question).await.unwrap_or_else(|error| {
            tracing::warn!(error = format!("{error:#}"), "failed to answer a question about rights");
            RightsAnswer::Unsure
        });
        let sent = match serde_json::to_vec(&answer) {
            Ok(bytes) => request.respond(bytes.into()).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = sent {
            tracing::warn!(error, "failed to answer a question about rights");
        }
    }

    async fn answer_to(self: &Arc<Self>, question: RightsQuestion) -> anyhow::Result<RightsAnswer> {
        match question {
            RightsQuestion::Erase { id, about, by } => self.ask_erasure(id, &about, by).await,
            RightsQuestion::Erasure { id } => Ok(match self.state_of(id).await? {
                Some(state) => RightsAnswer::Erasing { state: Box::new(state) },
                None => RightsAnswer::Unknown,
            }),
            RightsQuestion::Export { id, about, by } => self.ask_export(id, &about, by).await,
        }
    }

    async fn ask_erasure(&self, id: ErasureId, about: &About, by: Asker) -> anyhow::Result<RightsAnswer> {
        let named = self.named(about)?;
        if self.book().is_of_another(id, named) {
            return Ok(RightsAnswer::Taken);
        }
        if let Some(state) = self.state_of(id).await? {
            return Ok(RightsAnswer::Erasing { state: Box::new(state) });
        }
        if self.book().is_full() {
            return Ok(RightsAnswer::Away);
        }
        let (identities, holdings) = match self.customer(about).await {
            Ok(found) => found,
            Err(Gathering::Silent) => return Ok(RightsAnswer::Away),
            Err(Gathering::TooMany) => return Ok(RightsAnswer::TooMany),
        };
        let mut held = Vec::new();
        for identity in identities {
            // Who only ever wrote what could not be used has a key, and no conversation.
            let has_words = holdings.iter().any(|one| one.identity == identity);
            if has_words || !self.sealer.newest_generations(identity).await?.is_empty() {
                held.push(identity);
            }
        }
        if held.is_empty() {
            return Ok(RightsAnswer::Unknown);
        }
        let contacts: Vec<_> = holdings.iter().flat_map(|one| one.open.iter().copied()).collect();
        if !contacts.is_empty() {
            return Ok(RightsAnswer::Open { contacts });
        }
        self.note(id, ErasureStep::Asked { by, identities: held, about: Some(named) }, 0).await?;
        self.wake.notify_one();
        let state = self.state_of(id).await?;
        // Somebody else was faster with the same id.
        let is_taken = self.book().is_of_another(id, named);
        Ok(match state {
            Some(_) if is_taken => RightsAnswer::Taken,
            Some(state) => RightsAnswer::Erasing { state: Box::new(state) },
            None => RightsAnswer::Unsure,
        })
    }

    /// A keyed hash of how a customer is named.
    fn named(&self, about: &About) -> anyhow::Result<Hash128> {
        Ok(self.hasher.content(&serde_json::to_vec(about)?))
    }

    async fn ask_export(
        self: &Arc<Self>,
        id: ExportId,
        about: &About,
        by: Asker,
    ) -> anyhow::Result<RightsAnswer> {
        let about_hash = self.named(about)?;
        let begun = self.exports.begun(id).await?;
        if begun.as_ref().is_some_and(|begun| begun.about != about_hash) {
            return Ok(RightsAnswer::Taken);
        }
        if begun.is_some() {
            return Ok(RightsAnswer::Exporting { id });
        }
        let (identities, holdings) = match self.customer(about).await {
            Ok(found) => found,
            Err(Gathering::Silent) => return Ok(RightsAnswer::Away),
            Err(Gathering::TooMany) => return Ok(RightsAnswer::TooMany),
        };
        if holdings.is_empty() {
            return Ok(RightsAnswer::Unknown);
        }
        let begun = BegunExport { by, about: about_hash };
        let is_begun = self.begin_export(id, begun, identities, holdings).await?;
        Ok(if is_begun { RightsAnswer::Exporting { id } } else { RightsAnswer::Away })
    }
}
