//! Links to a new password, in whatever order they are asked for, late, used and overtaken: a used one never works again, and at
//! most one works at all.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, TimeDelta, Utc};
use http::StatusCode;
use plaza_identity::IdentityConfig;
use serde_json::json;

use crate::house::{House, PASSWORD, Tokens, cheap, open_house, unhurried};

const ADA: &str = "ada@example.org";
const STEPS: usize = 60;

/// A few bits at a time out of a seed (SplitMix64, Steele, Lea and Flood 2014).
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }
}

/// What ought to be.
struct Model {
    /// Every link there ever was.
    links: Vec<String>,
    /// The one that works, and until when.
    live: Option<(usize, DateTime<Utc>)>,
    password: String,
}

#[tokio::test]
async fn a_used_link_never_works_again_and_at_most_one_works() {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("seed {seed}");
    let house = House::with(IdentityConfig {
        password: cheap(),
        throttle: unhurried(),
        ..open_house()
    })
    .await;
    house.tenant_with_owner("acme", ADA).await;
    let (mut dice, mut uses) = (Dice(seed), 0);
    let mut model = Model {
        links: Vec::new(),
        live: None,
        password: PASSWORD.to_owned(),
    };
    for step in 0..STEPS {
        match dice.throw(10) {
            0..=3 => {
                model.links.push(house.forgot(ADA).await);
                let newest = model.links.len() - 1;
                model.live = Some((newest, house.clock.now() + TimeDelta::minutes(30)));
            }
            4..=7 if !model.links.is_empty() => {
                // The newest as often as all others together.
                let newest = model.links.len() - 1;
                let at = if dice.throw(2) == 0 {
                    newest
                } else {
                    dice.throw(newest + 1)
                };
                uses += usize::from(use_link(&house, &mut model, at, step).await);
            }
            8 => change(&house, &mut model, step).await,
            _ => house.time.advance(TimeDelta::minutes(11)),
        }
        Tokens::of(house.log_in_with(ADA, &model.password).await);
        let live = "SELECT count(*) FROM identity.proofs WHERE purpose = 'reset' AND consumed_at IS NULL";
        assert!(house.count(live).await <= 1, "seed {seed}, step {step}");
    }
    assert!(uses > 0, "seed {seed}: nobody ever used a link");
}

/// Follows a link, and says whether it worked.
async fn use_link(house: &House, model: &mut Model, at: usize, step: usize) -> bool {
    let works = model
        .live
        .is_some_and(|(live, until)| live == at && house.clock.now() < until);
    let password = format!("violet harbour {step} lanterns by link");
    let reply = house.reset(&model.links[at], &password).await;
    if works {
        reply.assert_status(StatusCode::NO_CONTENT);
        (model.live, model.password) = (None, password);
    } else {
        reply.assert_failed(StatusCode::BAD_REQUEST, "TOKEN_USED");
    }
    works
}

/// Changes the password, knowing it.
async fn change(house: &House, model: &mut Model, step: usize) {
    let caller = Tokens::of(house.log_in_with(ADA, &model.password).await).caller();
    let next = format!("violet harbour {step} lanterns by hand");
    let body = json!({"current_password": model.password, "new_password": next});
    house
        .mounted
        .as_caller(&caller)
        .post("/api/v1/auth/me/password", &body)
        .await
        .assert_status(StatusCode::NO_CONTENT);
    (model.live, model.password) = (None, next);
}
