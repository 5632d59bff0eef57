//! Whatever Plaza leans on may refuse, fall silent, be slow, or break off in the middle: people get 503 within the
//! deadline or the right answer, never a wrong one and never a right that they do not have; and seconds after the fault
//! everything is as before.

mod questions;
mod stage;

use std::fmt;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use plaza_testkit::fault_proxy::{FaultProxy, Mode};

use questions::{Outcome, Question};
use stage::Stage;

/// The gateway waits ten seconds for a service, a service five for itself; the rest is for a slow machine.
const ANSWERED: Duration = Duration::from_millis(11_500);
/// From the end of the fault until everything works.
const HEALED: Duration = Duration::from_secs(10);
/// Requests are sent at these times of a fault: as it begins, when everybody could have learnt of it, and, where a silent
/// connection is given up only when its heartbeats are missed, after that.
const ROUNDS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(2500),
    Duration::from_secs(15),
];

/// What is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Database,
    Broker,
    Identity,
    Broadcast,
}

/// What a fault may do to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    /// It is the right one.
    Right,
    /// 503 with `Retry-After`.
    Unavailable,
    /// Either: what is remembered for a few seconds needs nobody.
    RightOrUnavailable,
}

impl Part {
    fn modes(self) -> [Mode; 4] {
        let reset = match self {
            // In the middle of a head.
            Self::Identity | Self::Broadcast => 40,
            // In the middle of a message; a confirm of the broker has 21 bytes.
            Self::Database | Self::Broker => 10,
        };
        [
            Mode::Refuse,
            Mode::BlackHole,
            Mode::Delay(Duration::from_secs(5)),
            Mode::ResetReplyAfter(reset),
        ]
    }

    fn rounds(self, mode: Mode) -> &'static [Duration] {
        match (self, mode) {
            (Self::Broker, Mode::BlackHole) => &ROUNDS,
            _ => &ROUNDS[..2],
        }
    }

    fn promise(self, question: Question) -> Promise {
        use Question::{ImportedList, LogIn, Me, NewCampaign, NewTenant, NoRights, RevokedToken, WrongToken};
        match (self, question) {
            (Self::Broker, _) | (Self::Broadcast, Me | LogIn | NewTenant) => Promise::Right,
            (Self::Database, Me | ImportedList | NewCampaign | LogIn | NewTenant)
            | (Self::Identity, Me | LogIn)
            | (Self::Broadcast, ImportedList | NewCampaign) => Promise::Unavailable,
            (_, WrongToken | RevokedToken | NoRights)
            | (Self::Identity, ImportedList | NewCampaign | NewTenant) => Promise::RightOrUnavailable,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

#[tokio::test]
async fn with_the_database_at_fault_requests_are_told_so_in_time() {
    told_in_time(&[Part::Database]).await;
}

#[tokio::test]
async fn with_a_service_at_fault_requests_are_told_so_in_time() {
    told_in_time(&[Part::Identity, Part::Broadcast]).await;
}

#[tokio::test]
async fn with_the_broker_at_fault_requests_succeed_and_events_wait() {
    let mut stage = Stage::set().await;
    for mode in Part::Broker.modes() {
        let before = stage.tenants().await;
        stage.proxy(Part::Broker).set(mode).await;
        rounds(&stage, Part::Broker, mode).await;
        let made = stage.tenants().await - before;
        let waiting = stage.waiting_events().await;
        assert_eq!(made, Part::Broker.rounds(mode).len() as u64);
        assert!(
            waiting >= made,
            "{mode:?}: {made} tenants were made, and {waiting} events wait"
        );
        stage.proxy(Part::Broker).set(Mode::Pass).await;
        let begun = Instant::now();
        while !stage.everything_followed().await {
            assert!(
                begun.elapsed() < HEALED,
                "{mode:?}: events still wait {HEALED:?} after the fault"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        println!(
            "Broker {mode:?}: everything followed after {:.1?}",
            begun.elapsed()
        );
    }
    stage.end().await;
}

async fn told_in_time(parts: &[Part]) {
    let mut stage = Stage::set().await;
    for part in parts {
        for mode in part.modes() {
            stage.proxy(*part).set(mode).await;
            rounds(&stage, *part, mode).await;
            stage.proxy(*part).set(Mode::Pass).await;
            healed(&stage, *part, mode).await;
        }
    }
    stage.end().await;
}

/// Asks everything, twice, and looks at every answer.
async fn rounds(stage: &Stage, part: Part, mode: Mode) {
    let asked = part.rounds(mode).iter().flat_map(|after| {
        Question::ALL.map(|question| async move {
            tokio::time::sleep(*after).await;
            (after, question, stage.ask(question).await)
        })
    });
    for (after, question, outcome) in join_all(asked).await {
        println!("{part} {mode:?} +{after:?} {question:?}: {outcome}");
        let what = format!("{part} at fault ({mode:?}), {question:?} {after:?} later: {outcome}");
        let right = stage.is_right(question, &outcome);
        let kept = match part.promise(question) {
            Promise::Right => right,
            Promise::Unavailable => outcome.is_unavailable(),
            Promise::RightOrUnavailable => right || outcome.is_unavailable(),
        };
        assert!(kept, "{what}");
        assert!(outcome.took < ANSWERED, "too late: {what}");
    }
}

/// Waits until every answer is the right one again.
async fn healed(stage: &Stage, part: Part, mode: Mode) {
    let begun = Instant::now();
    loop {
        let outcomes = join_all(Question::ALL.map(|question| async move {
            let outcome = stage.ask(question).await;
            (question, stage.is_right(question, &outcome), outcome)
        }))
        .await;
        let took = begun.elapsed();
        let wrong: Vec<&(Question, bool, Outcome)> = outcomes.iter().filter(|(_, right, _)| !right).collect();
        assert!(
            took < HEALED,
            "{part} after {mode:?}: not as before after {took:?}: {wrong:?}"
        );
        if wrong.is_empty() {
            println!("{part} {mode:?}: as before after {took:.1?}");
            return;
        }
        // A denial that was expected and came as 503 is fine; an answer that nobody should get is not.
        for (question, _, outcome) in wrong {
            assert!(
                outcome.is_unavailable(),
                "{part} after {mode:?}: {question:?} {outcome}"
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The head has gone out already: what breaks off then has to be seen to be broken.
#[tokio::test]
async fn an_answer_that_breaks_off_in_its_body_is_not_taken_for_a_whole_one() {
    let mut stage = Stage::set().await;
    stage
        .proxy(Part::Broadcast)
        .set(Mode::ResetReplyAfter(3000))
        .await;
    for _ in 0..20 {
        let outcome = stage.ask(Question::ImportedList).await;
        assert!(
            outcome.is_broken() || outcome.is_unavailable(),
            "half a list looks whole: {outcome}"
        );
    }
    stage.proxy(Part::Broadcast).set(Mode::Pass).await;
    healed(&stage, Part::Broadcast, Mode::ResetReplyAfter(3000)).await;
    stage.end().await;
}

/// Puts a proxy before the internal listener of a member.
async fn before(address: &str) -> FaultProxy {
    FaultProxy::before(address.parse::<std::net::SocketAddr>().unwrap()).await
}
