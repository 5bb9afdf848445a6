//! Twilio's own words for what became of a call, of its wait in a queue and of its place in a conference. A word that is not known is kept as it came.

/// Longest word that is kept, bytes: the longest that is known has 42.
const WORD_BYTES_MAX: usize = 64;

fn kept(word: &str) -> String {
    word.get(..word.floor_char_boundary(WORD_BYTES_MAX)).unwrap_or_default().to_owned()
}

/// How far a call has come (https://www.twilio.com/docs/voice/api/call-resource#call-status-values).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallStatus {
    /// It waits at Twilio to be made.
    Queued,
    /// It is dialled.
    Initiated,
    /// It rings.
    Ringing,
    /// Somebody, or an answering machine, picked it up.
    InProgress,
    /// It was picked up and is over.
    Completed,
    /// They speak with somebody else.
    Busy,
    /// It could not be made: most often there is no such number.
    Failed,
    /// Nobody picked it up.
    NoAnswer,
    /// It was taken back while it rang.
    Canceled,
    /// A word that came after this was written.
    Other(String),
}

impl CallStatus {
    /// Reads it; what `<Dial>` calls `answered` is a call that was picked up.
    #[must_use]
    pub fn read(word: &str) -> Self {
        match word {
            "queued" => Self::Queued,
            "initiated" => Self::Initiated,
            "ringing" => Self::Ringing,
            "in-progress" | "answered" => Self::InProgress,
            "completed" => Self::Completed,
            "busy" => Self::Busy,
            "failed" => Self::Failed,
            "no-answer" => Self::NoAnswer,
            "canceled" => Self::Canceled,
            _ => Self::Other(kept(word)),
        }
    }

    /// As Twilio writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Queued => "queued",
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::NoAnswer => "no-answer",
            Self::Canceled => "canceled",
            Self::Other(word) => word,
        }
    }

    /// Its place in a call's life: one that comes late, with a lower rank than what is known, changes nothing. `None`: nobody knows.
    #[must_use]
    pub fn rank(&self) -> Option<u8> {
        match self {
            Self::Queued => Some(0),
            Self::Initiated => Some(1),
            Self::Ringing => Some(2),
            Self::InProgress => Some(3),
            Self::Completed | Self::Busy | Self::Failed | Self::NoAnswer | Self::Canceled => Some(4),
            Self::Other(_) => None,
        }
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.rank() == Some(4)
    }
}

/// Why a call left its queue (https://www.twilio.com/docs/voice/twiml/enqueue#action-url-parameters).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QueueResult {
    /// It was connected with whoever dialled the queue, and that is over.
    Bridged,
    /// It is being connected.
    Bridging,
    /// What it was told was wrong.
    Error,
    /// Its caller hung up.
    Hangup,
    /// `<Leave>` took it out.
    Leave,
    /// A request to the API took it out.
    Redirected,
    /// The same while it was connected.
    RedirectedFromBridged,
    /// There was no room.
    QueueFull,
    /// Twilio's fault.
    SystemError,
    /// A word that came after this was written.
    Other(String),
}

impl QueueResult {
    /// Reads it.
    #[must_use]
    pub fn read(word: &str) -> Self {
        match word {
            "bridged" => Self::Bridged,
            "bridging-in-process" => Self::Bridging,
            "error" => Self::Error,
            "hangup" => Self::Hangup,
            "leave" => Self::Leave,
            "redirected" => Self::Redirected,
            "redirected-from-bridged" => Self::RedirectedFromBridged,
            "queue-full" => Self::QueueFull,
            "system-error" => Self::SystemError,
            _ => Self::Other(kept(word)),
        }
    }

    /// As Twilio writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Bridged => "bridged",
            Self::Bridging => "bridging-in-process",
            Self::Error => "error",
            Self::Hangup => "hangup",
            Self::Leave => "leave",
            Self::Redirected => "redirected",
            Self::RedirectedFromBridged => "redirected-from-bridged",
            Self::QueueFull => "queue-full",
            Self::SystemError => "system-error",
            Self::Other(word) => word,
        }
    }

    /// Whether the caller could not wait, through no doing of theirs.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        match self {
            Self::Error | Self::QueueFull | Self::SystemError => true,
            Self::Bridged
            | Self::Bridging
            | Self::Hangup
            | Self::Leave
            | Self::Redirected
            | Self::RedirectedFromBridged
            | Self::Other(_) => false,
        }
    }
}

/// Why somebody is no longer in a conference (ReasonParticipantLeft).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftBecause {
    /// They hung up.
    HungUp,
    /// Somebody else did, with whom the conference ends.
    ModeratorEnded,
    /// A request ended the conference.
    EndedByApi,
    /// A request took them out.
    TakenOut,
    /// They were never in it.
    NeverThere,
    /// None, or a word that came after this was written.
    Other(String),
}

impl LeftBecause {
    /// Reads it.
    #[must_use]
    pub fn read(word: &str) -> Self {
        match word {
            "participant_hung_up" => Self::HungUp,
            "moderator_ended_conference" => Self::ModeratorEnded,
            "conference_ended_via_api" => Self::EndedByApi,
            "participant_updated_via_api" => Self::TakenOut,
            "participant_add_failed" => Self::NeverThere,
            _ => Self::Other(kept(word)),
        }
    }
}

/// What happened in a conference (https://www.twilio.com/docs/voice/twiml/conference#attributes-statusCallbackEvent).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConferenceEvent {
    /// It began.
    Started,
    /// It is over.
    Ended,
    /// Somebody came.
    Joined,
    /// Somebody is gone.
    Left(LeftBecause),
    /// Somebody can no longer be heard, or again.
    Muted(bool),
    /// Somebody hears music and is not heard, or no longer.
    Held(bool),
    /// What came after this was written, and what nobody asked for.
    Other(String),
}

impl ConferenceEvent {
    pub(crate) fn read(word: &str, reason: &str) -> Self {
        match word {
            "conference-start" => Self::Started,
            "conference-end" => Self::Ended,
            "participant-join" => Self::Joined,
            "participant-leave" => Self::Left(LeftBecause::read(reason)),
            "participant-mute" => Self::Muted(true),
            "participant-unmute" => Self::Muted(false),
            "participant-hold" => Self::Held(true),
            "participant-unhold" => Self::Held(false),
            _ => Self::Other(kept(word)),
        }
    }

    /// As Twilio writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Started => "conference-start",
            Self::Ended => "conference-end",
            Self::Joined => "participant-join",
            Self::Left(_) => "participant-leave",
            Self::Muted(true) => "participant-mute",
            Self::Muted(false) => "participant-unmute",
            Self::Held(true) => "participant-hold",
            Self::Held(false) => "participant-unhold",
            Self::Other(word) => word,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_written_as_it_was_read() {
        for word in [
            "queued",
            "initiated",
            "ringing",
            "in-progress",
            "completed",
            "busy",
            "failed",
            "no-answer",
            "canceled",
            "new",
        ] {
            assert_eq!(CallStatus::read(word).as_str(), word);
        }
        for word in [
            "bridged",
            "bridging-in-process",
            "error",
            "hangup",
            "leave",
            "redirected",
            "redirected-from-bridged",
            "queue-full",
            "system-error",
            "new",
        ] {
            assert_eq!(QueueResult::read(word).as_str(), word);
        }
        for word in [
            "conference-start",
            "conference-end",
            "participant-join",
            "participant-leave",
            "participant-mute",
            "participant-unmute",
            "participant-hold",
            "participant-unhold",
            "announcement-end",
        ] {
            assert_eq!(ConferenceEvent::read(word, "").as_str(), word);
        }
        let long = "é".repeat(WORD_BYTES_MAX);
        assert_eq!(CallStatus::read(&long).as_str().len(), WORD_BYTES_MAX);
    }

    #[test]
    fn nothing_comes_after_the_end() {
        let ranks: Vec<_> = ["queued", "initiated", "ringing", "in-progress", "completed"]
            .map(|word| CallStatus::read(word).rank())
            .into_iter()
            .collect();
        assert!(ranks.is_sorted() && ranks.iter().all(Option::is_some), "{ranks:?}");
        for word in ["completed", "busy", "failed", "no-answer", "canceled"] {
            assert!(CallStatus::read(word).is_over(), "{word}");
        }
        assert!(!CallStatus::read("new").is_over());
    }
}
