//! What a user of the server may do, put together from what it has to do there. What is not named is not allowed.

use std::collections::BTreeSet;

use protocol::Subject;

/// What one user may publish and subscribe to. Its requests to JetStream are subjects like all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    publish: BTreeSet<String>,
    subscribe: BTreeSet<String>,
}

impl Rights {
    /// Of a user whose connections have these names: it hears what is sent to their inboxes, and may ask whether JetStream works.
    #[must_use]
    pub fn of(connections: &[String]) -> Self {
        let mut rights = Self::default();
        rights.subscribe.extend(connections.iter().map(|name| format!("_INBOX.{name}.>")));
        rights.publish.insert("$JS.API.INFO".to_owned());
        rights
    }

    fn publishes<const N: usize>(mut self, subjects: [String; N]) -> Self {
        self.publish.extend(subjects);
        self
    }

    /// It sees how full a stream is.
    #[must_use]
    pub fn looks_at(self, stream: &str) -> Self {
        self.publishes([format!("$JS.API.STREAM.INFO.{stream}")])
    }

    /// It reads a stream. With it comes the right to make consumers there, and none to any that is not its own.
    #[must_use]
    pub fn reads(self, stream: &str) -> Self {
        self.looks_at(stream).publishes([
            format!("$JS.API.STREAM.MSG.GET.{stream}"),
            format!("$JS.API.CONSUMER.CREATE.{stream}"),
            format!("$JS.API.CONSUMER.CREATE.{stream}.>"),
            format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.*"),
        ])
    }

    /// It reads single messages of a stream by their numbers, and makes no consumer there.
    #[must_use]
    pub fn looks_into(self, stream: &str) -> Self {
        self.publishes([format!("$JS.API.STREAM.MSG.GET.{stream}")])
    }

    /// It publishes: what a stream keeps, a question, or what nobody keeps.
    #[must_use]
    pub fn writes(self, subject: &Subject) -> Self {
        self.publishes([subject.to_string()])
    }

    /// It hears what is published there.
    #[must_use]
    pub fn hears(mut self, subject: &Subject) -> Self {
        self.subscribe.insert(subject.to_string());
        self
    }

    /// It answers questions that are put there, in the inboxes of whoever asks.
    #[must_use]
    pub fn answers(self, subject: &Subject) -> Self {
        self.hears(subject).publishes(["_INBOX.>".to_owned()])
    }

    /// It answers as a service of this name: it tells, too, that it is there.
    #[must_use]
    pub fn serves(mut self, service: &str, subjects: &[Subject]) -> Self {
        for word in ["PING", "INFO", "STATS"] {
            let asked = [
                format!("$SRV.{word}"),
                format!("$SRV.{word}.{service}"),
                format!("$SRV.{word}.{service}.*"),
            ];
            self.subscribe.extend(asked);
        }
        subjects.iter().fold(self, Self::answers)
    }

    /// It deletes single messages of a stream, their bytes with them.
    #[must_use]
    pub fn erases(self, stream: &str) -> Self {
        self.publishes([format!("$JS.API.STREAM.MSG.DELETE.{stream}")])
    }

    /// It reads a bucket.
    #[must_use]
    pub fn reads_bucket(self, bucket: &str) -> Self {
        self.reads(&format!("KV_{bucket}"))
    }

    /// It reads and writes a bucket.
    #[must_use]
    pub fn writes_bucket(self, bucket: &str) -> Self {
        self.reads_bucket(bucket).publishes([format!("$KV.{bucket}.>")])
    }

    /// It reads a bucket, and writes the keys of this pattern.
    #[must_use]
    pub fn writes_keys(self, bucket: &str, pattern: &str) -> Self {
        self.reads_bucket(bucket).publishes([format!("$KV.{bucket}.{pattern}")])
    }

    /// It reads a store of objects.
    #[must_use]
    pub fn reads_objects(self, store: &str) -> Self {
        let stream = format!("OBJ_{store}");
        self.reads(&stream).publishes([
            format!("$JS.API.DIRECT.GET.{stream}"),
            format!("$JS.API.DIRECT.GET.{stream}.>"),
            format!("$JS.API.CONSUMER.DELETE.{stream}.*"),
            // By which the server asks a reader whether it keeps up.
            format!("$JS.FC.{stream}.>"),
        ])
    }

    /// It reads a store of objects, and puts and deletes there.
    #[must_use]
    pub fn writes_objects(self, store: &str) -> Self {
        self.reads_objects(store)
            .publishes([format!("$O.{store}.>"), format!("$JS.API.STREAM.PURGE.OBJ_{store}")])
    }

    /// It sees which streams there are.
    #[must_use]
    pub fn lists_streams(self) -> Self {
        self.publishes(["$JS.API.STREAM.NAMES".to_owned()])
    }

    /// It looks at, makes and changes streams, and deletes none.
    #[must_use]
    pub fn makes_streams(self) -> Self {
        self.lists_streams()
            .publishes(["INFO", "CREATE", "UPDATE"].map(|word| format!("$JS.API.STREAM.{word}.*")))
    }

    /// It makes streams, brings them to their description and deletes them, and does all else that one may on the server.
    #[must_use]
    pub fn everything() -> Self {
        let all = || BTreeSet::from([">".to_owned()]);
        Self { publish: all(), subscribe: all() }
    }

    /// All of what these may.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.publish.extend(other.publish);
        self.subscribe.extend(other.subscribe);
        self
    }

    /// Whether it may publish to this subject.
    #[must_use]
    pub fn may_publish(&self, subject: &str) -> bool {
        self.publish.iter().any(|pattern| matches(pattern, subject))
    }

    pub(crate) fn into_lists(self) -> (Vec<String>, Vec<String>) {
        (self.publish.into_iter().collect(), self.subscribe.into_iter().collect())
    }
}

/// Whether a subject is of a pattern, as the server sees it.
pub(crate) fn matches(pattern: &str, subject: &str) -> bool {
    let mut words = subject.split('.');
    for part in pattern.split('.') {
        match (part, words.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (part, Some(word)) if part == word => {}
            _ => return false,
        }
    }
    words.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_reads_and_no_more() {
        let rights = Rights::of(&["us".to_owned()]).reads("LOG");
        for may in ["$JS.API.INFO", "$JS.API.STREAM.INFO.LOG", "$JS.API.CONSUMER.CREATE.LOG.x.wb.c1.log"] {
            assert!(rights.may_publish(may), "{may}");
        }
        for may_not in [
            "$JS.API.STREAM.INFO.LOG2",
            "$JS.API.STREAM.UPDATE.LOG",
            "$JS.API.STREAM.MSG.DELETE.LOG",
            "$JS.API.STREAM.PURGE.LOG",
            "$JS.API.STREAM.DELETE.LOG",
            "$JS.API.CONSUMER.MSG.NEXT.LOG",
            "wb.c1.log",
            "_INBOX.us.x",
        ] {
            assert!(!rights.may_publish(may_not), "{may_not}");
        }
    }

    #[test]
    fn a_pattern_is_read_as_the_server_reads_it() {
        for (pattern, subject, is_of_it) in [
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            (">", "a", true),
        ] {
            assert_eq!(matches(pattern, subject), is_of_it, "{pattern} {subject}");
        }
    }
}
