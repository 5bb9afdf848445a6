//! A desk's command becomes one of the bus: words are sealed with the key of whom they are about.

use bus::SealError;
use protocol::command::Command;
use protocol::content::{Content, MailHead, Sealed};
use protocol::customer::{CustomerAnswer, CustomerQuestion, CustomerWish};
use protocol::desk::{DeskCommand, DeskGift, ReplyWith};
use protocol::privacy;
use protocol::remedy::{Gift, RemedyCommand};
use protocol::{ContactId, IdentityId, MessageId, Millis, Refusal, RemedyId};

use super::{Lane, NotTaken};
use crate::answer::AnsweredBy;
use crate::pages;

impl Lane {
    pub(super) async fn seal(&self, asked: DeskCommand) -> Result<Command, NotTaken> {
        let by = AnsweredBy::of(&asked);
        Ok(match asked {
            DeskCommand::SetPresence { presence, reason, when_free } => {
                Command::SetPresence { presence, reason, when_free }
            }
            DeskCommand::Accept { offer } => Command::Accept { offer },
            DeskCommand::Decline { offer, reason } => Command::Decline { offer, reason },
            DeskCommand::Reply { contact, message, text, with } => {
                self.reply(contact, message, content_of(text, with)).await?
            }
            DeskCommand::Begin(begin) => self.begin(*begin).await?,
            asked @ (DeskCommand::Note { .. }
            | DeskCommand::WarnCustomer { .. }
            | DeskCommand::Whisper { .. }) => self.words(by, asked).await?,
            DeskCommand::Pick { contact } => Command::Pick { contact },
            DeskCommand::SetTags { contact, add, remove } => Command::SetTags { contact, add, remove },
            DeskCommand::SetFields { contact, fields } => Command::SetFields { contact, fields },
            DeskCommand::ReadMentions { contact } => Command::ReadMentions { contact },
            DeskCommand::BlockCustomer { contact, until, reason } => {
                Command::BlockCustomer { contact, until, reason }
            }
            DeskCommand::UnblockCustomer { identity } => Command::UnblockCustomer { identity },
            DeskCommand::TransferToQueue { contact, queue } => Command::TransferToQueue { contact, queue },
            DeskCommand::TransferToAgent { contact, agent, back } => {
                Command::TransferToAgent { contact, agent, back }
            }
            DeskCommand::Consult { contact, agent } => Command::Consult { contact, agent },
            DeskCommand::AnswerConsult { contact, yes } => Command::AnswerConsult { contact, yes },
            DeskCommand::Watch { contact } => Command::Watch { contact },
            DeskCommand::ChangeCustomer { contact, wish } => Command::ChangeCustomer { contact, wish },
            DeskCommand::Join { contact } => Command::Join { contact },
            DeskCommand::Leave { contact, agent } => Command::Leave { contact, agent },
            DeskCommand::Resolve { contact, disposition, fields } => {
                Command::Resolve { contact, disposition, fields }
            }
            DeskCommand::Snooze { contact, until } => Command::Snooze { contact, until },
            DeskCommand::Resume { contact } => Command::Resume { contact },
            DeskCommand::Revoke { offer } => Command::Revoke { offer },
            DeskCommand::TakeOver { contact } => Command::TakeOver { contact },
            DeskCommand::SetIncident { incident, terms } => Command::SetIncident { incident, terms },
            DeskCommand::GatherForIncident { incident, contacts } => {
                Command::GatherForIncident { incident, contacts }
            }
            DeskCommand::AnswerIncident { incident, words } => Command::AnswerIncident { incident, words },
            DeskCommand::ResolveIncident { incident, disposition, words } => {
                Command::ResolveIncident { incident, disposition, words }
            }
            DeskCommand::CloseIncident { incident } => Command::CloseIncident { incident },
            DeskCommand::TakeVoice { contact } => Command::TakeVoice { contact },
            DeskCommand::CallForHelp { contact, reason } => Command::CallForHelp { contact, reason },
            DeskCommand::Fail { contact, reason } => Command::Fail { contact, reason },
            DeskCommand::EndWrapUp { contact } => Command::EndWrapUp { contact },
            DeskCommand::Give { contact, gift, ask, case } => self.give(contact, *gift, ask, case).await?,
            DeskCommand::Promise { contact, words, due } => self.promise(contact, words, due).await?,
            DeskCommand::Undo { remedy } => for_worker(RemedyCommand::Undo { remedy }),
            DeskCommand::Answer { ask, yes } => for_worker(RemedyCommand::Answer { ask, yes }),
            DeskCommand::Retry { remedy } => for_worker(RemedyCommand::Retry { remedy }),
            DeskCommand::Keep { promise } => for_worker(RemedyCommand::Keep { promise }),
            DeskCommand::Thank { agent, contact, words } => {
                for_worker(RemedyCommand::Thank { agent, contact, words })
            }
            DeskCommand::Story { remedy, title, consent } => {
                let consent = consent && self.agreed(remedy).await?;
                for_worker(RemedyCommand::Tell { remedy, title, consent })
            }
            DeskCommand::Contest { signal, reason } => for_worker(RemedyCommand::Contest { signal, reason }),
        })
    }

    /// Whether it is on record that the customer agrees to their story being told with who they are.
    async fn agreed(&self, remedy: RemedyId) -> Result<bool, NotTaken> {
        let Some(identity) = self.gateway.hub.identity_of_remedy(remedy) else { return Ok(false) };
        let given = self.gateway.consents.is_given(identity, privacy::STORY).await;
        given.map_err(|error| NotTaken::Away(error.to_string()))
    }

    async fn words(&self, by: AnsweredBy, asked: DeskCommand) -> Result<Command, NotTaken> {
        if let DeskCommand::Note { contact, message, text, mentions } = asked {
            // A page knows some of its agent's colleagues only; whoever is named by the whole name is meant.
            let mentions = self.gateway.hub.mentioned_by(&text, &mentions);
            let body = self.seal_words(by, contact, text).await?;
            Ok(Command::Note { contact, message, body, mentions })
        } else if let DeskCommand::WarnCustomer { contact, message, text } = asked {
            Ok(Command::WarnCustomer { contact, message, body: self.seal_words(by, contact, text).await? })
        } else if let DeskCommand::Whisper { contact, message, text } = asked {
            Ok(Command::Whisper { contact, message, body: self.seal_words(by, contact, text).await? })
        } else {
            Err(NotTaken::Broken("a command without words".to_owned()))
        }
    }

    async fn give(
        &self,
        contact: ContactId,
        gift: DeskGift,
        ask: bool,
        case: Option<String>,
    ) -> Result<Command, NotTaken> {
        self.require_had(contact)?;
        let case = self.seal_some(contact, case).await?;
        let gift = Box::new(self.seal_gift(contact, gift).await?);
        Ok(for_worker(RemedyCommand::Give { contact, gift, ask, case }))
    }

    async fn promise(&self, contact: ContactId, words: String, due: Millis) -> Result<Command, NotTaken> {
        self.require_had(contact)?;
        let words = self.seal_words(AnsweredBy::Worker, contact, words).await?;
        Ok(for_worker(RemedyCommand::Promise { contact, words, due }))
    }

    async fn reply(
        &self,
        contact: ContactId,
        message: MessageId,
        content: Content,
    ) -> Result<Command, NotTaken> {
        let body = self.seal_content(AnsweredBy::Routing, contact, &content).await?;
        Ok(Command::Reply { contact, message, body })
    }

    async fn seal_gift(&self, contact: ContactId, gift: DeskGift) -> Result<Gift, NotTaken> {
        let DeskGift { kind, occasion, claim, money, due, words, tell, on_top_of } = gift;
        let words = self.seal_some(contact, words).await?;
        let tell = self.seal_some(contact, tell).await?;
        Ok(Gift { kind, occasion, claim, money, due, words, tell, on_top_of })
    }

    async fn seal_some(&self, contact: ContactId, text: Option<String>) -> Result<Option<Sealed>, NotTaken> {
        match text {
            Some(text) => self.seal_words(AnsweredBy::Worker, contact, text).await.map(Some),
            None => Ok(None),
        }
    }

    /// Nobody gives or promises for a contact that they never had. Whether they still have it, the worker says: it may
    /// have changed hands a moment ago, and the same command has to get the same answer.
    fn require_had(&self, contact: ContactId) -> Result<(), NotTaken> {
        if self.gateway.hub.had(self.agent, contact) {
            return Ok(());
        }
        let known = self.gateway.hub.identity_of(contact).is_some();
        let refusal = if known { Refusal::NotYours } else { Refusal::UnknownContact };
        Err(NotTaken::Refused(AnsweredBy::Worker.refusing(refusal)))
    }

    /// Who does not lead joins and parts only what they were shown of the customer: an id that somebody kept from another day is not
    /// a way to somebody else's words.
    pub(super) async fn require_shown(&self, contact: ContactId, wish: CustomerWish) -> Result<(), NotTaken> {
        let gateway = &self.gateway;
        let Some((conversation, _)) = gateway.hub.may_read(self.agent, contact) else { return Ok(()) };
        if gateway.hub.leads(self.agent, contact) {
            return Ok(());
        }
        let question = CustomerQuestion { conversation, before: None, limit: 0 };
        let answer: Option<CustomerAnswer> =
            pages::ask(gateway, &gateway.subjects.views_customer(), &question).await;
        let shown = answer.ok_or_else(|| NotTaken::Away("the read models do not answer".to_owned()))?;
        let is_shown = match wish {
            CustomerWish::Link { identity } => {
                let mut all = shown.suggestions.iter().map(|one| one.identity.identity);
                all.any(|one| one == identity) || shown.identities.iter().any(|one| one.identity == identity)
            }
            CustomerWish::Part { link } => {
                shown.links.iter().any(|one| one.link == link)
                    || shown.suggestions.iter().any(|one| one.link == link)
            }
        };
        // Whose contact it is, the core says.
        if is_shown {
            Ok(())
        } else {
            Err(NotTaken::Refused(AnsweredBy::Routing.refusing(Refusal::NotYours)))
        }
    }

    /// Whose the contact is, the core decides: it may have changed hands a moment ago.
    async fn seal_words(&self, by: AnsweredBy, contact: ContactId, text: String) -> Result<Sealed, NotTaken> {
        self.seal_content(by, contact, &Content::words(text)).await
    }

    async fn seal_content(
        &self,
        by: AnsweredBy,
        contact: ContactId,
        content: &Content,
    ) -> Result<Sealed, NotTaken> {
        let refused = |refusal| NotTaken::Refused(by.refusing(refusal));
        let identity = self.gateway.hub.identity_of(contact);
        let identity = identity.ok_or_else(|| refused(Refusal::UnknownContact))?;
        self.seal_for(by, identity, content).await
    }

    /// Words for somebody, without what nobody should have.
    pub(super) async fn seal_for(
        &self,
        by: AnsweredBy,
        identity: IdentityId,
        content: &Content,
    ) -> Result<Sealed, NotTaken> {
        let mut content = content.clone();
        self.gateway.mask(&mut content);
        self.seal_as_it_is(by, identity, &content).await
    }

    pub(super) async fn seal_as_it_is(
        &self,
        by: AnsweredBy,
        identity: IdentityId,
        content: &Content,
    ) -> Result<Sealed, NotTaken> {
        let refused = |refusal| NotTaken::Refused(by.refusing(refusal));
        let content = serde_json::to_vec(content);
        let content = content.map_err(|error| NotTaken::Broken(error.to_string()))?;
        self.gateway.sealer.seal(identity, &content).await.map_err(|error| match error {
            SealError::Unavailable(error) => NotTaken::Away(error.to_string()),
            SealError::TooLarge => refused(Refusal::TooLong),
            SealError::WrongMasterKey | SealError::NoRandom => NotTaken::Broken(error.to_string()),
        })
    }
}

fn for_worker(ask: RemedyCommand) -> Command {
    Command::Empower { ask: Box::new(ask) }
}

/// An answer with what goes with it.
pub(super) fn content_of(text: String, with: Option<Box<ReplyWith>>) -> Content {
    let ReplyWith { attachments, cc, forward_to, subject, template } =
        with.map(|with| *with).unwrap_or_default();
    let is_mail = !cc.is_empty() || !forward_to.is_empty() || subject.is_some();
    let head = MailHead { to: forward_to, cc, subject: subject.unwrap_or_default(), ..MailHead::default() };
    Content { attachments, mail: is_mail.then(|| Box::new(head)), template, ..Content::words(text) }
}
