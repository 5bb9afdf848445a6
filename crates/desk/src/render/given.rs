//! What was given, asked, promised and praised, with its words in the clear.

use protocol::Language;
use protocol::content::Sealed;
use protocol::desk::{DeskAsk, DeskKudos, DeskPromise, DeskRemedy};
use protocol::policy::Words;

use super::{WordsAway, open};
use crate::Gateway;
use crate::remedies::{AskPicture, KudosFrom, KudosPicture, Promised, RemedyPicture};

/// The words; `None` when there are none, or they cannot be read any more.
async fn words(gateway: &Gateway, sealed: Option<&Sealed>) -> Result<Option<String>, WordsAway> {
    match sealed {
        Some(sealed) => Ok(open(gateway, sealed).await?.map(|content| content.text)),
        None => Ok(None),
    }
}

pub(crate) async fn remedies(
    gateway: &Gateway,
    pictures: &[RemedyPicture],
) -> Result<Vec<DeskRemedy>, WordsAway> {
    let mut shown = Vec::with_capacity(pictures.len());
    for picture in pictures {
        shown.push(remedy(gateway, picture).await?);
    }
    Ok(shown)
}

pub(crate) async fn remedy(gateway: &Gateway, picture: &RemedyPicture) -> Result<DeskRemedy, WordsAway> {
    let given = &picture.given;
    Ok(DeskRemedy {
        remedy: given.remedy,
        contact: given.contact,
        at: given.at,
        by: picture.by.to_string(),
        approved_by: picture.approved_by.as_ref().map(ToString::to_string),
        kind: given.kind,
        occasion: given.occasion,
        card: given.card.clone(),
        claim: given.claim.clone(),
        money: given.money,
        words: words(gateway, given.words.as_ref()).await?,
        state: given.state,
        undo_until: given.undo_until,
        reference: words(gateway, given.reference.as_ref()).await?,
        reason: given.reason.clone(),
        told: given.told,
    })
}

pub(crate) async fn ask(gateway: &Gateway, picture: &AskPicture) -> Result<DeskAsk, WordsAway> {
    let ask = &picture.ask;
    Ok(DeskAsk {
        ask: ask.ask,
        contact: ask.contact,
        is_mine: picture.is_mine,
        by: picture.by.to_string(),
        kind: ask.kind,
        money: ask.money,
        claim: ask.claim.clone(),
        case: words(gateway, ask.case.as_ref()).await?,
        whom: ask.whom,
        asked: u32::try_from(ask.asked.len()).unwrap_or(u32::MAX),
        until: ask.until,
    })
}

pub(crate) async fn promise(gateway: &Gateway, promised: &Promised) -> Result<DeskPromise, WordsAway> {
    Ok(DeskPromise {
        promise: promised.promise,
        contact: promised.contact,
        words: words(gateway, promised.words.as_ref()).await?,
        due: promised.due,
        state: promised.state.to_owned(),
    })
}

pub(crate) async fn kudos(gateway: &Gateway, picture: &KudosPicture) -> Result<DeskKudos, WordsAway> {
    let kudos = &picture.kudos;
    let (from, words) = match &kudos.from {
        KudosFrom::Customer { words: sealed } => {
            ("customer", said(kudos.language, words(gateway, sealed.as_ref()).await?))
        }
        KudosFrom::Peer { words, .. } => ("peer", said(kudos.language, Some(words.clone()))),
        KudosFrom::Card { words } => ("card", Words::clone(words)),
    };
    Ok(DeskKudos {
        at: kudos.at,
        from: from.to_owned(),
        by: picture.by.as_ref().map(ToString::to_string),
        words,
        contact: kudos.contact,
    })
}

/// Words of one person are in one language, and nobody knows in which: they are shown as they are.
fn said(language: Option<Language>, text: Option<String>) -> Words {
    let language = language.or_else(|| "en".parse().ok());
    language.zip(text).into_iter().collect()
}
