//! An agent writes first: whom they mean is asked, and the words are sealed for them.

use bus::FileError;
use protocol::command::{Begin, Command};
use protocol::content::{Attachment, Content, Template};
use protocol::desk::DeskBegin;
use protocol::reach::Takes;
use protocol::{ContactId, IdentityId, Refusal};

use super::seal::content_of;
use super::{Lane, NotTaken};
use crate::answer::AnsweredBy;
use crate::reach::{self, NotReached, Reached};

impl Lane {
    pub(super) async fn begin(&self, asked: DeskBegin) -> Result<Command, NotTaken> {
        let DeskBegin { channel, account, to, queue, contact, message, text, with } = asked;
        let found = reach::reached(&self.gateway, self.agent, (channel, &account), &to).await;
        let Reached { identity, address, takes } = found.map_err(not_reached)?;
        let mut content = content_of(text, with);
        if takes == Takes::Templates && content.template.is_none() {
            return Err(refused(Refusal::TemplatesOnly));
        }
        if content.template.as_deref().is_some_and(has_open_place) {
            return Err(refused(Refusal::TemplatesOnly));
        }
        content.attachments = self.files_for(identity, contact, content.attachments).await?;
        let body = self.seal_for(AnsweredBy::Routing, identity, &content).await?;
        let address = Content { identity: Some(address), ..Content::default() };
        // Nothing is taken out of it: it is where they are reached.
        let address = self.seal_as_it_is(AnsweredBy::Routing, identity, &address).await?;
        Ok(Command::Begin(Box::new(Begin {
            channel,
            account,
            identity,
            address: Some(address),
            queue,
            contact,
            message,
            body,
        })))
    }

    /// Files lie with the key of whom they were uploaded for: they are kept once more for whom they go to.
    async fn files_for(
        &self,
        identity: IdentityId,
        contact: Option<ContactId>,
        files: Vec<Attachment>,
    ) -> Result<Vec<Attachment>, NotTaken> {
        let mut kept = Vec::with_capacity(files.len());
        for file in files {
            let contact = contact.ok_or_else(|| refused(Refusal::UnknownContact))?;
            // Whose contact it is, the core says; whose files these are, nobody but us.
            let read = self.gateway.hub.may_read(self.agent, contact).and_then(|(_, identity)| identity);
            let from = read.ok_or_else(|| refused(Refusal::NotYours))?;
            let found = self.gateway.files.fetch(from, file.object).await.map_err(not_had)?;
            let bytes = found.ok_or_else(|| refused(Refusal::UnknownContact))?;
            let object = self.gateway.files.keep(identity, &bytes).await.map_err(not_had)?;
            kept.push(Attachment { object, ..file });
        }
        Ok(kept)
    }
}

/// Whether a place of a form still holds its own name in braces, as the form has it: the customer would read just that.
fn has_open_place(template: &Template) -> bool {
    template.variables.values().any(|value| {
        value.split('{').skip(1).any(|rest| rest.split_once('}').is_some_and(|(name, _)| is_place(name)))
    })
}

/// Whether something is the name of a place.
fn is_place(name: &str) -> bool {
    name.starts_with(|sign: char| sign.is_ascii_lowercase())
        && name.bytes().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == b'_')
}

fn refused(refusal: Refusal) -> NotTaken {
    NotTaken::Refused(AnsweredBy::Routing.refusing(refusal))
}

fn not_reached(why: NotReached) -> NotTaken {
    match why {
        // Nothing was published, and what the agent does meanwhile need not wait until the channels are back.
        NotReached::Away => refused(Refusal::NotNow),
        NotReached::NotShown => refused(Refusal::NotYours),
        NotReached::Refused(why) => refused(why.refusal()),
    }
}

fn not_had(error: FileError) -> NotTaken {
    match error {
        FileError::Unavailable(error) => NotTaken::Away(error),
        // The customer was erased, or it is somebody else's file.
        FileError::Erased | FileError::Damaged => refused(Refusal::UnknownContact),
    }
}
