//! One call, from its first ring to the real hang-up.

use channel::{HttpRequest, Millis};
use channel_twilio::voice::call::{
    Call, Command, Ended, EndedBy, LEGS_MAX, News, NotNow, Says, State, Step, Why,
};
use channel_twilio::voice::calls::{Described, Participant};
use channel_twilio::voice::flows::{Promise, Script};
use channel_twilio::voice::webhook::Heard;
use channel_twilio::voice::{CallStatus, Caller, Leg, Number};

use crate::{
    ANN, ANNA, BACK, BEN, CALL, after, anna, at, ben, ends, incoming, joins, leaves, line, of, room, seat,
    sid, status, told,
};

const A: Leg = Leg(1);
const B: Leg = Leg(2);

fn ring(leg: Leg) -> Command {
    Command::Ring { leg, to: if leg == A { anna() } else { ben() } }
}

fn wants(call: &mut Call, command: Command) -> Vec<Step> {
    call.command(command).unwrap();
    call.due()
}

fn hears(call: &mut Call, all: &[Heard]) -> Vec<Step> {
    for one in all {
        call.hear(one, at(0));
    }
    call.due()
}

fn pressed() -> Heard {
    told(&of(None), &[("CallSid", CALL), ("CallStatus", "in-progress"), ("Digits", "1")])
}

fn left_queue(result: &str) -> Heard {
    told(
        &of(None),
        &[("CallSid", CALL), ("CallStatus", "in-progress"), ("QueueResult", result), ("QueueTime", "9")],
    )
}

fn came() -> News {
    News::Came { caller: Caller::Number(Number::read(ANN).unwrap()), at: at(0) }
}

/// Customer and Anna speak since 20 s.
fn connected() -> Call {
    let mut call = Call::new(sid(CALL));
    assert_eq!(hears(&mut call, &[incoming()]), []);
    assert_eq!(call.state(), State::Waiting);
    assert_eq!(wants(&mut call, ring(A)), [Step::Ring(A)]);
    assert_eq!(call.state(), State::Ringing { leg: A });
    call.made(A, &sid(ANNA));
    assert_eq!(
        hears(
            &mut call,
            &[status(Some(A), ANNA, "initiated", 0, 10), status(Some(A), ANNA, "ringing", 1, 11)]
        ),
        []
    );
    assert_eq!(hears(&mut call, &[status(Some(A), ANNA, "in-progress", 2, 18)]), [Step::Connect]);
    let joined = [joins("leg1", ANNA, 1, 19), joins("customer", CALL, 2, 20)];
    assert_eq!(hears(&mut call, &joined), []);
    assert_eq!(call.state(), State::Connected { leg: A, held: false, muted: false });
    assert_eq!(call.news(), [came(), News::Connected { leg: A, at: at(20) }]);
    call
}

fn requests(call: &Call, step: Step) -> Vec<HttpRequest> {
    let script = Script { music: Some("https://desk.example/music.mp3".to_owned()), ..Script::default() };
    let mut first = call.request(&line(), &script, step, 20).unwrap().unwrap();
    let then = std::mem::take(&mut first.then);
    std::iter::once(first).chain(then).collect()
}

/// The end of the address, and the body without its TwiML.
fn said(request: &HttpRequest) -> (String, String) {
    let (_, name) = request.url.split_once("00000001/").unwrap();
    let body = String::from_utf8(request.body.clone()).unwrap();
    (name.to_owned(), body.split("Twiml=").next().unwrap().to_owned())
}

fn asked(call: &Call, step: Step) -> Vec<(String, String)> {
    requests(call, step).iter().map(said).collect()
}

fn change(who: &str, body: &str) -> (String, String) {
    (format!("Conferences/{}/Participants/{who}.json", room().as_str()), body.to_owned())
}

fn hang_up(who: &str) -> (String, String) {
    (format!("Calls/{who}.json"), "Status=completed".to_owned())
}

fn is_over(call: &Call) -> Ended {
    call.ended().unwrap()
}

#[test]
fn a_call_is_answered_and_the_customer_hangs_up() {
    let mut call = connected();
    let end = [
        leaves("customer", CALL, 3, 80, "participant_hung_up"),
        leaves("leg1", ANNA, 4, 80, "moderator_ended_conference"),
        ends(CALL, 5, 80),
        status(Some(A), ANNA, "completed", 3, 81),
        status(None, CALL, "completed", 3, 80),
    ];
    let news = after(&mut call, &end);
    let ended =
        Ended { at: at(80), by: EndedBy::Customer, why: Why::Completed, wait_ms: 20_000, talk_ms: 60_000 };
    assert_eq!(news, [News::Released { leg: A, at: at(80), talk_ms: 60_000 }, News::Ended(ended.clone())]);
    assert_eq!(call.state(), State::Ended(ended));
    assert_eq!((call.due(), call.news()), (vec![], vec![]), "nothing is asked or said twice");
}

#[test]
fn wrap_up_counts_from_the_real_hang_up_also_if_the_agent_does_it() {
    let mut call = connected();
    let news = after(
        &mut call,
        &[
            leaves("leg1", ANNA, 3, 50, "participant_hung_up"),
            leaves("customer", CALL, 4, 50, "moderator_ended_conference"),
            ends(ANNA, 5, 50),
        ],
    );
    assert_eq!(news[0], News::Released { leg: A, at: at(50), talk_ms: 30_000 });
    assert_eq!(is_over(&call).by, EndedBy::Agent(A));
    // By the desk it is the same: whose call Twilio ended is not who wanted it.
    let mut call = connected();
    assert_eq!(wants(&mut call, Command::HangUp { by: A }), [Step::HangUp, Step::LetGo(A)]);
    assert_eq!(asked(&call, Step::HangUp), [hang_up(CALL)]);
    assert_eq!(asked(&call, Step::LetGo(A)), [hang_up(ANNA)]);
    after(&mut call, &[leaves("customer", CALL, 3, 60, "participant_updated_via_api"), ends(CALL, 4, 60)]);
    assert_eq!((is_over(&call).by, is_over(&call).why), (EndedBy::Agent(A), Why::Completed));
}

#[test]
fn who_leaves_before_an_agent_is_counted() {
    let mut call = Call::new(sid(CALL));
    hears(&mut call, &[incoming()]);
    wants(&mut call, ring(A));
    call.made(A, &sid(ANNA));
    hears(&mut call, &[status(Some(A), ANNA, "ringing", 1, 25)]);
    // The agent's telephone does not go on ringing.
    assert_eq!(hears(&mut call, &[status(None, CALL, "completed", 1, 33)]), [Step::LetGo(A)]);
    assert_eq!(asked(&call, Step::LetGo(A)), [hang_up(ANNA)]);
    let ended = Ended { at: at(33), by: EndedBy::Customer, why: Why::Abandoned, wait_ms: 33_000, talk_ms: 0 };
    assert_eq!(call.news(), [came(), News::Ended(ended)]);
    let over = told(
        &of(Some(A)),
        &[("CallSid", ANNA), ("CallStatus", "completed"), ("CallDuration", "0"), ("SequenceNumber", "2")],
    );
    call.hear(&over, at(34));
    assert_eq!(call.news(), [News::NotReached { leg: A, why: CallStatus::Completed, at: at(34) }]);
    // Without a status: Twilio's queue says it too.
    let mut call = Call::new(sid(CALL));
    after(&mut call, &[incoming()]);
    call.hear(&left_queue("hangup"), at(9));
    assert_eq!(is_over(&call).why, Why::Abandoned);
}

#[test]
fn an_agent_who_is_not_reached_leaves_the_customer_in_their_place() {
    for (word, why) in
        [("busy", CallStatus::Busy), ("no-answer", CallStatus::NoAnswer), ("failed", CallStatus::Failed)]
    {
        let mut call = Call::new(sid(CALL));
        hears(&mut call, &[incoming()]);
        wants(&mut call, ring(A));
        let news = after(&mut call, &[status(Some(A), ANNA, word, 2, 40)]);
        assert_eq!(news, [came(), News::NotReached { leg: A, why, at: at(40) }]);
        assert_eq!((call.state(), call.due()), (State::Waiting, vec![]));
        assert_eq!(wants(&mut call, ring(B)), [Step::Ring(B)]);
    }
    // The API itself may say so.
    let mut call = Call::new(sid(CALL));
    hears(&mut call, &[incoming()]);
    wants(&mut call, ring(A));
    call.not_made(A, at(12));
    assert_eq!(call.news()[1], News::NotReached { leg: A, why: CallStatus::Failed, at: at(12) });
}

#[test]
fn an_offer_that_lapsed_is_taken_back_even_if_its_id_comes_late() {
    let mut call = Call::new(sid(CALL));
    hears(&mut call, &[incoming()]);
    wants(&mut call, ring(A));
    assert_eq!(wants(&mut call, Command::Withdraw { leg: A }), [], "nobody knows yet which call it is");
    call.made(A, &sid(ANNA));
    assert_eq!(call.due(), [Step::LetGo(A)]);
    // Who picks it up in that moment meets nobody.
    assert_eq!(hears(&mut call, &[status(Some(A), ANNA, "in-progress", 2, 30)]), []);
    // What was never rung is not rung.
    let mut call = Call::new(sid(CALL));
    call.command(ring(A)).unwrap();
    assert_eq!(wants(&mut call, Command::Withdraw { leg: A }), []);
}

#[test]
fn a_customer_is_held_and_an_agent_muted() {
    let mut call = connected();
    assert_eq!(wants(&mut call, Command::Hold(true)), [Step::Hold(true)]);
    let music = "Hold=true&HoldUrl=https%3A%2F%2Fdesk.example%2Fmusic.mp3";
    assert_eq!(asked(&call, Step::Hold(true)), [change(CALL, music)]);
    assert_eq!(wants(&mut call, Command::Hold(true)), [], "once");
    hears(&mut call, &[seat("customer", CALL, "participant-hold", 3, 30, &[])]);
    assert_eq!(call.state(), State::Connected { leg: A, held: true, muted: false });
    assert_eq!(wants(&mut call, Command::Mute { leg: A, on: true }), [Step::Mute(A, true)]);
    assert_eq!(asked(&call, Step::Mute(A, true)), [change(ANNA, "Muted=true")]);
    assert_eq!(wants(&mut call, Command::Hold(false)), [Step::Hold(false)]);
    // It did not get through, and is due again.
    call.undone(Step::Hold(false));
    assert_eq!(call.due(), [Step::Hold(false)]);
    hears(&mut call, &[seat("customer", CALL, "participant-unhold", 5, 40, &[])]);
    assert_eq!(call.state(), State::Connected { leg: A, held: false, muted: true });
    // What comes late changes nothing.
    hears(&mut call, &[seat("customer", CALL, "participant-hold", 4, 39, &[])]);
    assert_eq!(call.state(), State::Connected { leg: A, held: false, muted: true });
}

#[test]
fn a_blind_transfer_takes_the_agent_out_and_not_the_customer() {
    let mut call = connected();
    let steps = wants(&mut call, Command::Transfer { from: A, leg: B, to: ben() });
    assert_eq!(steps, [Step::LetGo(A), Step::Ring(B), Step::Hold(true)]);
    assert_eq!(asked(&call, Step::LetGo(A)), [change(ANNA, "EndConferenceOnExit=false"), hang_up(ANNA)]);
    let news = after(&mut call, &[leaves("leg1", ANNA, 3, 50, "participant_updated_via_api")]);
    assert_eq!(news, [News::Released { leg: A, at: at(50), talk_ms: 30_000 }]);
    assert_eq!(call.state(), State::Transferring { to: Some(B) });
    assert_eq!(hears(&mut call, &[status(Some(B), BEN, "in-progress", 2, 58)]), [Step::Hold(false)]);
    let news = after(&mut call, &[joins("leg2", BEN, 4, 60)]);
    assert_eq!(news, [News::Connected { leg: B, at: at(60) }]);
    after(&mut call, &[leaves("leg2", BEN, 5, 90, "participant_hung_up"), ends(BEN, 6, 90)]);
    after(&mut call, &[leaves("customer", CALL, 7, 90, "moderator_ended_conference")]);
    let ended = is_over(&call);
    assert_eq!((ended.by, ended.talk_ms, call.talk_ms(B)), (EndedBy::Agent(B), 70_000, 30_000));
}

#[test]
fn a_transfer_to_nobody_leaves_the_customer_with_music_until_another_is_rung() {
    let mut call = connected();
    wants(&mut call, Command::Transfer { from: A, leg: B, to: ben() });
    hears(&mut call, &[leaves("leg1", ANNA, 3, 50, "participant_updated_via_api")]);
    call.news();
    let news = after(&mut call, &[status(Some(B), BEN, "no-answer", 2, 75)]);
    assert_eq!(news, [News::NotReached { leg: B, why: CallStatus::NoAnswer, at: at(75) }]);
    assert_eq!((call.state(), call.due()), (State::Transferring { to: None }, vec![]));
    assert_eq!(wants(&mut call, Command::Ring { leg: Leg(3), to: anna() }), [Step::Ring(Leg(3))]);
}

/// Anna asks Ben, who is there at 40 s.
fn consulting() -> Call {
    let mut call = connected();
    let steps = wants(&mut call, Command::Consult { from: A, leg: B, to: ben() });
    assert_eq!(steps, [Step::Ring(B), Step::Hold(true), Step::Ends(A, false)]);
    let ring = requests(&call, Step::Ring(B));
    let twiml =
        form_urlencoded::parse(&ring[0].body).find(|(name, _)| name == "Twiml").unwrap().1.into_owned();
    assert!(twiml.contains(r#"endConferenceOnExit="false""#), "who is asked takes nobody along: {twiml}");
    assert_eq!(call.state(), State::Consulting { from: A, with: B });
    assert_eq!(
        hears(&mut call, &[status(Some(B), BEN, "in-progress", 2, 39), joins("leg2", BEN, 3, 40)]),
        []
    );
    assert_eq!(call.state(), State::Consulting { from: A, with: B });
    call
}

#[test]
fn who_was_asked_gets_the_call() {
    let mut call = consulting();
    let steps = wants(&mut call, Command::HandOver);
    assert_eq!(steps, [Step::LetGo(A), Step::Hold(false), Step::Ends(B, true)]);
    assert_eq!(asked(&call, Step::Ends(B, true)), [change(BEN, "EndConferenceOnExit=true")]);
    hears(&mut call, &[leaves("leg1", ANNA, 4, 55, "participant_updated_via_api")]);
    assert_eq!(call.state(), State::Connected { leg: B, held: false, muted: false });
    assert_eq!(call.ended(), None);
}

#[test]
fn who_was_asked_leaves_again() {
    let mut call = consulting();
    let steps = wants(&mut call, Command::TakeBack);
    assert_eq!(steps, [Step::LetGo(B), Step::Hold(false), Step::Ends(A, true)]);
    hears(&mut call, &[leaves("leg2", BEN, 4, 55, "participant_updated_via_api")]);
    assert_eq!(call.state(), State::Connected { leg: A, held: false, muted: false });
}

#[test]
fn all_three_speak() {
    let mut call = consulting();
    assert_eq!(wants(&mut call, Command::Join), [Step::Hold(false), Step::Ends(A, true)]);
    assert_eq!(call.state(), State::Connected { leg: A, held: false, muted: false });
    // When the guest leaves the two go on.
    assert_eq!(hears(&mut call, &[leaves("leg2", BEN, 4, 55, "participant_hung_up")]), []);
    assert_eq!(call.ended(), None);
}

#[test]
fn whoever_leaves_while_somebody_is_asked_the_customer_is_kept() {
    // The agent hangs up: who was asked has the call.
    let mut call = consulting();
    let left =
        [leaves("leg1", ANNA, 4, 50, "participant_hung_up"), status(Some(A), ANNA, "completed", 3, 50)];
    assert_eq!(hears(&mut call, &left), [Step::Hold(false), Step::Ends(B, true)]);
    assert_eq!(call.state(), State::Connected { leg: B, held: false, muted: false });
    // Who was asked is not reached, or hangs up: all is as before.
    let mut call = consulting();
    assert_eq!(
        hears(&mut call, &[leaves("leg2", BEN, 4, 50, "participant_hung_up")]),
        [Step::Hold(false), Step::Ends(A, true)]
    );
    assert_eq!(call.state(), State::Connected { leg: A, held: false, muted: false });
}

#[test]
fn who_wants_to_be_called_back_keeps_their_place_and_is_called_when_an_agent_is_there() {
    let mut call = Call::new(sid(CALL));
    hears(&mut call, &[incoming(), pressed(), status(None, CALL, "completed", 1, 9)]);
    assert_eq!(call.news(), [came(), News::CallBackWanted { at: at(0) }]);
    assert_eq!(call.state(), State::Kept);
    assert_eq!(wants(&mut call, ring(A)), [Step::Ring(A)]);
    assert_eq!(hears(&mut call, &[status(Some(A), ANNA, "in-progress", 2, 300)]), [Step::Ring(Leg::BACK)]);
    let (_, body) = asked(&call, Step::Ring(Leg::BACK)).remove(0);
    assert!(body.starts_with("To=%2B447700900123&From=%2B442071838750&"), "{body}");
    call.made(Leg::BACK, &sid(BACK));
    hears(&mut call, &[joins("leg1", ANNA, 1, 301), joins("leg0", BACK, 2, 320)]);
    assert_eq!(call.news(), [News::Connected { leg: A, at: at(320) }]);
    after(&mut call, &[leaves("leg0", BACK, 3, 380, "participant_hung_up"), ends(BACK, 4, 380)]);
    let ended = is_over(&call);
    assert_eq!((ended.by, ended.wait_ms, ended.talk_ms), (EndedBy::Customer, 320_000, 60_000));
}

#[test]
fn who_is_called_back_and_not_there_is_no_abandoned_call() {
    let mut call = Call::new(sid(CALL));
    hears(&mut call, &[incoming(), pressed(), status(None, CALL, "completed", 1, 9)]);
    wants(&mut call, ring(A));
    hears(&mut call, &[status(Some(A), ANNA, "in-progress", 2, 300)]);
    let steps = hears(&mut call, &[status(Some(Leg::BACK), BACK, "busy", 2, 310)]);
    assert_eq!(steps, [Step::LetGo(A)], "the agent is free");
    let ended = is_over(&call);
    assert_eq!((ended.why, ended.by), (Why::NotReached(CallStatus::Busy), EndedBy::Network));
    // An agent who gives up before that leaves them in their place.
    let mut call = Call::new(sid(CALL));
    hears(&mut call, &[incoming(), pressed(), status(None, CALL, "completed", 1, 9)]);
    call.command(ring(A)).unwrap();
    call.made(A, &sid(ANNA));
    assert_eq!(wants(&mut call, Command::HangUp { by: A }), [Step::LetGo(A)]);
    hears(&mut call, &[status(Some(A), ANNA, "canceled", 2, 20)]);
    assert_eq!(call.state(), State::Kept);
    assert_eq!(wants(&mut call, ring(B)), [Step::Ring(B)]);
}

#[test]
fn who_is_turned_away_is_not_counted_as_one_who_left() {
    let mut call = Call::new(sid(CALL));
    call.command(Command::TurnAway).unwrap();
    after(&mut call, &[incoming(), status(None, CALL, "completed", 1, 8)]);
    assert_eq!((is_over(&call).why, is_over(&call).by), (Why::TurnedAway, EndedBy::House));
    for result in ["queue-full", "system-error", "error"] {
        let mut call = Call::new(sid(CALL));
        after(&mut call, &[incoming(), left_queue(result), status(None, CALL, "completed", 1, 8)]);
        assert_eq!(is_over(&call).why, Why::TurnedAway, "{result}");
    }
    let mut call = Call::new(sid(CALL));
    after(&mut call, &[incoming(), status(None, CALL, "failed", 1, 8)]);
    assert_eq!(is_over(&call).why, Why::Failed);
}

#[test]
fn what_was_not_heard_is_learnt_from_the_api() {
    let mut call = Call::new(sid(CALL));
    hears(&mut call, &[incoming()]);
    wants(&mut call, ring(A));
    let described = |sid: &str, status: &str, end: Option<u64>| Described {
        sid: crate::sid(sid),
        status: CallStatus::read(status),
        started_at: Some(at(18)),
        ended_at: end.map(at),
        lasted_s: end.and_then(|end| u32::try_from(end - 18).ok()),
    };
    call.learn(Some(A), &described(ANNA, "in-progress", None), at(30));
    assert_eq!(call.due(), [Step::Connect]);
    let person =
        |sid: &str, leg| Participant { sid: crate::sid(sid), leg, held: false, muted: false, is_there: true };
    let ringing = Participant { is_there: false, ..person(BEN, Some(B)) };
    call.learn_room(
        &room(),
        &[person(ANNA, Some(A)), person(CALL, None), ringing, person(BACK, None)],
        at(31),
    );
    assert_eq!(call.state(), State::Connected { leg: A, held: false, muted: false });
    assert_eq!(call.connected_at(A), Some(at(31)));
    // What was told of it in the end is more exact, and a later word of Twilio's counts.
    hears(&mut call, &[joins("customer", CALL, 2, 20), joins("leg1", ANNA, 1, 19)]);
    assert_eq!(call.connected_at(A), Some(at(20)));
    call.learn(None, &described(CALL, "completed", Some(90)), at(200));
    call.learn(Some(A), &described(ANNA, "completed", Some(91)), at(200));
    let ended = is_over(&call);
    assert_eq!((ended.at, ended.why, ended.talk_ms), (at(90), Why::Completed, 70_000));
    assert_eq!(call.talk_ms(A), 70_000);
}

#[test]
fn what_cannot_be_followed_changes_nothing() {
    let mut call = connected();
    let before = call.clone();
    for (command, why) in [
        (Command::Mute { leg: B, on: true }, NotNow::NoSuchLeg),
        (Command::HangUp { by: B }, NotNow::NoSuchLeg),
        (Command::Withdraw { leg: B }, NotNow::NoSuchLeg),
        (Command::Transfer { from: B, leg: Leg(3), to: ben() }, NotNow::NoSuchLeg),
        (Command::Transfer { from: A, leg: A, to: ben() }, NotNow::LegTaken),
        (Command::Ring { leg: A, to: ben() }, NotNow::LegTaken),
        (Command::Ring { leg: Leg::BACK, to: ben() }, NotNow::LegTaken),
        (Command::HandOver, NotNow::NoConsult),
        (Command::TakeBack, NotNow::NoConsult),
        (Command::Join, NotNow::NoConsult),
    ] {
        assert_eq!(call.command(command), Err(why));
        assert_eq!(call, before);
    }
    let mut call = consulting();
    let third = Command::Consult { from: A, leg: Leg(3), to: anna() };
    assert_eq!(call.command(third), Err(NotNow::Consulting));
    assert_eq!(
        call.command(Command::Consult { from: A, leg: B, to: ben() }),
        Ok(()),
        "the same again is the same"
    );
    let other = told("", &[("CallSid", BEN), ("CallStatus", "ringing"), ("From", ANN)]);
    let before = call.clone();
    call.hear(&other, at(99));
    assert_eq!(call, before, "another call's");
}

#[test]
fn a_call_is_passed_on_only_so_often() {
    let mut call = Call::new(sid(CALL));
    let legs = u32::try_from(LEGS_MAX).unwrap();
    for leg in (1..=legs).map(Leg) {
        call.command(Command::Ring { leg, to: anna() }).unwrap();
        call.hear(&status(Some(leg), ANNA, "no-answer", 2, 30), at(0));
    }
    let another = Leg(legs + 1);
    assert_eq!(call.command(Command::Ring { leg: another, to: anna() }), Err(NotNow::TooMany));
    assert_eq!(call.command(Command::Ring { leg: A, to: anna() }), Ok(()), "a known one may be told again");
    // The customer who is called back has room all the same.
    hears(&mut call, &[incoming(), pressed(), status(Some(Leg::BACK), BACK, "busy", 2, 40)]);
    assert_eq!(is_over(&call).why, Why::NotReached(CallStatus::Busy));
    let before = call.clone();
    call.hear(&status(Some(another), BEN, "busy", 2, 50), at(0));
    assert_eq!(call, before);
}

#[test]
fn twilio_is_told_what_comes_next() {
    let (line, script) = (line(), Script::default());
    let promise = Promise { minutes: Some(3), place: None, call_back: true };
    let says = Says { line: &line, script: &script, promise };
    let waits = told(&of(None), &[("CallSid", CALL), ("CallStatus", "in-progress"), ("QueuePosition", "1")]);
    let mut call = Call::new(sid(CALL));
    call.hear(&incoming(), Millis(0));
    let answer = |call: &Call, heard: &Heard| call.answer(heard, &says).xml();
    assert!(answer(&call, &incoming()).contains("<Gather"), "{}", answer(&call, &incoming()));
    assert!(answer(&call, &waits).contains("in minutes, is 3."));
    assert_eq!(call.answer(&status(None, CALL, "completed", 1, 8), &says).0, []);
    let text = answer(&call, &left_queue("leave"));
    assert!(text.contains(&script.sorry), "nobody is left in silence: {text}");
    call.hear(&pressed(), Millis(0));
    assert!(answer(&call, &pressed()).contains("call you back"));
    assert!(answer(&call, &waits).contains("<Leave/>"));
    assert!(answer(&call, &left_queue("leave")).contains("call you back"));
    assert!(answer(&call, &left_queue("queue-full")).contains(&script.sorry));
    assert_eq!(call.answer(&left_queue("redirected"), &says).0, []);
    // Who withholds their number is offered nothing.
    let withheld = told(
        "",
        &[("CallSid", CALL), ("CallStatus", "ringing"), ("Direction", "inbound"), ("From", "anonymous")],
    );
    let mut call = Call::new(sid(CALL));
    after(&mut call, &[withheld.clone(), pressed()]);
    assert!(!answer(&call, &withheld).contains("<Gather"));
    assert!(answer(&call, &pressed()).contains("<Enqueue"), "they go on waiting");
    assert_eq!(call.state(), State::Waiting);
    call.command(Command::TurnAway).unwrap();
    assert!(answer(&call, &withheld).contains(&script.closed));
    assert!(answer(&call, &left_queue("leave")).contains(&script.closed));
}
