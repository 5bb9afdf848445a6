//! Entries as frames. What is not for customers keeps its place and shows nothing.

use channel::{EntryKind, Outbound, Verdict, Whose};

use crate::wire::{EntryFrame, FileFrame, ServerFrame, WireKind};

/// Pause before a widget may come back for what it did not get, ms.
const RESUME_AFTER_MS: u64 = 500;

/// What came of writing a frame to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketAnswer {
    /// Handed to the network. If it is lost there, the widget sees the hole and resumes.
    Written,
    /// Not taken in time: the socket is closed.
    TooSlow,
    /// There is no socket any more.
    Closed,
}

pub(crate) fn render(outbound: &Outbound<'_>) -> String {
    let Outbound { entry, text, attached, by, bot, .. } = outbound;
    let kind = wire_kind(&entry.kind);
    let shown = kind != WireKind::Hidden;
    let files = attached.iter().filter(|_| shown).map(|file| FileFrame::new(file.file, file.url)).collect();
    ServerFrame::Entry(EntryFrame {
        seq: entry.seq,
        at: entry.at.0,
        kind,
        id: entry.message.filter(|_| shown).map(|id| id.to_string()),
        text: text.filter(|_| shown),
        files,
        by: by.filter(|_| shown),
        bot: *bot && shown,
        opens_at: opens_at(&entry.kind),
        closes_at: closes_at(&entry.kind),
        question: question(&entry.kind),
    })
    .to_json()
}

/// Nothing is lost with a socket: entries stand in the log, and the widget asks for them by their sequence.
pub(crate) fn judge(answer: SocketAnswer) -> Verdict {
    match answer {
        SocketAnswer::Written => Verdict::Accepted { provider_id: None },
        SocketAnswer::TooSlow | SocketAnswer::Closed => Verdict::Retry {
            whose: Whose::Conversation,
            after_ms: Some(RESUME_AFTER_MS),
            reason: "socket_lost",
        },
    }
}

fn opens_at(kind: &EntryKind) -> Option<u64> {
    if let EntryKind::Closed { opens_at: Some(at) } | EntryKind::Blocked { until: at, .. } = kind {
        Some(at.0)
    } else {
        None
    }
}

fn closes_at(kind: &EntryKind) -> Option<u64> {
    if let EntryKind::SilenceWarned { closes_at } = kind { Some(closes_at.0) } else { None }
}

fn question(kind: &EntryKind) -> Option<&'static str> {
    if let EntryKind::FeedbackAsked { question } | EntryKind::FeedbackGiven { question, .. } = kind {
        Some(question.as_str())
    } else {
        None
    }
}

fn wire_kind(kind: &EntryKind) -> WireKind {
    match kind {
        EntryKind::FromCustomer
        | EntryKind::FromBlocked
        | EntryKind::Automatic
        | EntryKind::FeedbackGiven { .. } => WireKind::Customer,
        EntryKind::FromAgent { .. }
        | EntryKind::FromColleague
        | EntryKind::Told { .. }
        | EntryKind::Warned { .. } => WireKind::Agent,
        EntryKind::Blocked { .. } => WireKind::Blocked,
        EntryKind::Note { .. }
        | EntryKind::Suggested { .. }
        | EntryKind::Snoozed { .. }
        | EntryKind::Consulted { .. }
        | EntryKind::ConsultDeclined { .. }
        | EntryKind::Whispered { .. }
        | EntryKind::Annotated { .. }
        | EntryKind::CameFrom { .. }
        | EntryKind::LeftAgain { .. } => WireKind::Hidden,
        EntryKind::FeedbackAsked { .. } => WireKind::Asked,
        EntryKind::WentOn { .. } => WireKind::Moved,
        EntryKind::Joined { .. }
        | EntryKind::TakenOver { .. }
        | EntryKind::HandedBack { .. }
        | EntryKind::JoinedBeside { .. } => WireKind::Joined,
        EntryKind::TransferredToQueue { .. }
        | EntryKind::TransferredToAgent { .. }
        | EntryKind::HandedOver { .. }
        | EntryKind::Reclaimed { .. } => WireKind::Transferred,
        EntryKind::Resolved { .. } | EntryKind::ClosedAfterSilence { .. } => WireKind::Resolved,
        EntryKind::Closed { .. } => WireKind::Closed,
        EntryKind::CallbackAsked => WireKind::Callback,
        EntryKind::IncidentTold { .. } => WireKind::Incident,
        EntryKind::SilenceWarned { .. } => WireKind::Closing,
        EntryKind::Reopened => WireKind::Reopened,
        EntryKind::CustomerLeft => WireKind::Left,
    }
}
