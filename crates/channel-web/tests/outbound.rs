//! Entries and other frames as the widget gets them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use channel::{
    Adapter as _, AgentId, Attached, Attachment, ChannelKind, Entry, EntryKind, Hash128, Millis, Outbound,
    Question, Verdict,
};
use channel_web::{CustomerState, ServerFrame, SocketAnswer, WebChat};

fn agent() -> AgentId {
    "agt_0197f3a0c1d27abc8def0123456789ab".parse().unwrap()
}

fn entry(kind: EntryKind) -> Entry {
    let message = Some("msg_0197f3a0c1d27abc8def0123456789ab".parse().unwrap());
    Entry { seq: 4, at: Millis(17), contact: "con_1_0".parse().unwrap(), kind, message, body: None }
}

fn check(kind: EntryKind, text: Option<&str>, by: Option<&str>, expected: &str) {
    let entry = entry(kind);
    let frame = WebChat::new(1024).frame(&Outbound {
        entry: &entry,
        conversation: None,
        text,
        content: None,
        attached: &[],
        by,
        bot: matches!(entry.kind, EntryKind::FromAgent { bot: true, .. }),
        to: None,
        now: Millis(20),
    });
    assert_eq!(frame, expected);
}

#[test]
fn words_go_to_the_customer_and_notes_do_not() {
    check(
        EntryKind::FromAgent { agent: agent(), bot: false },
        Some("Good \"morning\""),
        Some("Anna"),
        r#"{"t":"entry","seq":4,"at":17,"kind":"agent","id":"msg_0197f3a0c1d27abc8def0123456789ab","text":"Good \"morning\"","by":"Anna"}"#,
    );
    check(
        EntryKind::Told { agent: agent(), remedy: Some("rem_3_0".parse().unwrap()) },
        Some("Your money is on its way"),
        Some("Anna"),
        r#"{"t":"entry","seq":4,"at":17,"kind":"agent","id":"msg_0197f3a0c1d27abc8def0123456789ab","text":"Your money is on its way","by":"Anna"}"#,
    );
    check(
        EntryKind::Note { agent: agent() },
        Some("a difficult one"),
        Some("Anna"),
        r#"{"t":"entry","seq":4,"at":17,"kind":"hidden"}"#,
    );
    check(
        EntryKind::Closed { opens_at: Some(Millis(99)) },
        None,
        None,
        r#"{"t":"entry","seq":4,"at":17,"kind":"closed","id":"msg_0197f3a0c1d27abc8def0123456789ab","opens_at":99}"#,
    );
    check(
        EntryKind::FromCustomer,
        None,
        None,
        r#"{"t":"entry","seq":4,"at":17,"kind":"customer","id":"msg_0197f3a0c1d27abc8def0123456789ab"}"#,
    );
}

#[test]
fn a_question_and_its_answer_say_what_is_asked() {
    let asked = EntryKind::FeedbackAsked { question: Question::Recommend };
    check(
        asked,
        None,
        None,
        r#"{"t":"entry","seq":4,"at":17,"kind":"asked","id":"msg_0197f3a0c1d27abc8def0123456789ab","question":"recommend"}"#,
    );
    // The answer is what the customer said.
    check(
        EntryKind::FeedbackGiven { question: Question::Recommend, score: 9 },
        Some("9!"),
        None,
        r#"{"t":"entry","seq":4,"at":17,"kind":"customer","id":"msg_0197f3a0c1d27abc8def0123456789ab","text":"9!","question":"recommend"}"#,
    );
}

#[test]
fn what_happens_elsewhere_is_told_as_far_as_it_is_the_customers() {
    check(
        EntryKind::FromColleague,
        Some("Hello"),
        None,
        r#"{"t":"entry","seq":4,"at":17,"kind":"agent","id":"msg_0197f3a0c1d27abc8def0123456789ab","text":"Hello"}"#,
    );
    check(
        EntryKind::WentOn { channel: ChannelKind::Whatsapp },
        None,
        None,
        r#"{"t":"entry","seq":4,"at":17,"kind":"moved","id":"msg_0197f3a0c1d27abc8def0123456789ab"}"#,
    );
    check(
        EntryKind::CameFrom { conversation: "cnv_7_0".parse().unwrap(), channel: ChannelKind::Email },
        None,
        None,
        r#"{"t":"entry","seq":4,"at":17,"kind":"hidden"}"#,
    );
}

#[test]
fn files_go_with_their_links_and_those_of_notes_do_not() {
    let file = Attachment {
        object: Hash128([10; 16]),
        name: "a \"b\".png".into(),
        media_type: "image/png".into(),
        bytes: 7,
        inline: false,
    };
    let attached = [Attached { file: &file, bytes: b"", url: "files/x?until=9", pixels: None }];
    let shown = |kind| {
        let entry = entry(kind);
        WebChat::new(1024).frame(&Outbound {
            entry: &entry,
            conversation: None,
            text: Some(""),
            content: None,
            attached: &attached,
            by: None,
            bot: false,
            to: None,
            now: Millis(20),
        })
    };
    assert_eq!(
        shown(EntryKind::FromAgent { agent: agent(), bot: false }),
        r#"{"t":"entry","seq":4,"at":17,"kind":"agent","id":"msg_0197f3a0c1d27abc8def0123456789ab","text":"","files":[{"object":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","name":"a \"b\".png","type":"image/png","bytes":7,"url":"files/x?until=9"}]}"#
    );
    assert_eq!(shown(EntryKind::Note { agent: agent() }), r#"{"t":"entry","seq":4,"at":17,"kind":"hidden"}"#);
}

#[test]
fn frames_have_their_documented_form() {
    let frames = [
        (
            ServerFrame::Welcome {
                token: Some("v1.x"),
                conversation: None,
                state: CustomerState::None,
                from: 1,
            },
            r#"{"t":"welcome","token":"v1.x","conversation":null,"state":"none","from":1}"#,
        ),
        (
            ServerFrame::Welcome { token: None, conversation: None, state: CustomerState::None, from: 1 },
            r#"{"t":"welcome","conversation":null,"state":"none","from":1}"#,
        ),
        (ServerFrame::Taken { id: "msg_a" }, r#"{"t":"taken","id":"msg_a"}"#),
        (
            ServerFrame::Refused { id: "msg_a", code: "full", words: "later", retry_after_ms: Some(5) },
            r#"{"t":"refused","id":"msg_a","code":"full","words":"later","retry_after_ms":5}"#,
        ),
        (
            ServerFrame::Refused { id: "msg_a", code: "x", words: "y", retry_after_ms: None },
            r#"{"t":"refused","id":"msg_a","code":"x","words":"y"}"#,
        ),
        (ServerFrame::State { state: CustomerState::WithAgent }, r#"{"t":"state","state":"with_agent"}"#),
        (ServerFrame::Typing, r#"{"t":"typing"}"#),
        (ServerFrame::Error { code: "x", words: "y" }, r#"{"t":"error","code":"x","words":"y"}"#),
        (ServerFrame::Pong { n: 3 }, r#"{"t":"pong","n":3}"#),
    ];
    for (frame, expected) in frames {
        assert_eq!(frame.to_json(), expected);
    }
}

#[test]
fn a_lost_socket_is_resumed_not_failed() {
    let chat = WebChat::new(1024);
    assert_eq!(chat.judge(&SocketAnswer::Written), Verdict::Accepted { provider_id: None });
    for lost in [SocketAnswer::TooSlow, SocketAnswer::Closed] {
        assert!(matches!(chat.judge(&lost), Verdict::Retry { .. }));
    }
}
