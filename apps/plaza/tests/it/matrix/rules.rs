//! What each documented rule promises, held against what callers were answered.

use std::collections::{BTreeMap, BTreeSet};

use super::operations::Operation;
use super::stage::Stage;

/// The answers to one operation, by kind of caller.
pub(super) type Answers = BTreeMap<&'static str, u16>;

/// Callers that Plaza knows.
const KNOWN: [&str; 5] = [
    "foreign user",
    "foreign owner",
    "low role",
    "owner",
    "platform admin",
];

/// What a rule ends with that lets in who runs the platform beside who has a permission.
const OR_PLATFORM_ADMIN: &str = "_or_platform_admin";

/// What the tenants' members may do.
pub(super) struct Rules {
    low: BTreeSet<String>,
}

impl Rules {
    /// Asks Plaza what the caller of little right was given.
    pub(super) async fn of(stage: &Stage) -> Self {
        let given = stage
            .actor("low role")
            .api
            .get("/api/v1/auth/permissions")
            .await
            .ok();
        let given = given["permissions"].as_array().unwrap().iter();
        let low: BTreeSet<String> = given
            .map(|permission| permission.as_str().unwrap().to_owned())
            .collect();
        assert!(
            !low.is_empty() && low.len() < 10,
            "the low role is neither nothing nor much: {low:?}"
        );
        Self { low }
    }

    /// Panics where an answer is not what the rule promises.
    pub(super) fn check(&self, operation: &Operation, answers: &Answers) {
        let expect = Expect { operation, answers };
        expect.all_within_reason();
        match operation.rule.as_str() {
            "anyone" => ["anonymous"]
                .iter()
                .chain(&KNOWN)
                .for_each(|actor| expect.let_in(actor)),
            "signature" => expect.nobody_without_a_signature(),
            // For other services: for the public it is as if it were not there.
            "internal" => expect.nobody_finds_it(),
            "authenticated" => {
                expect.no_strangers();
                KNOWN.iter().for_each(|actor| expect.let_in(actor));
            }
            "platform_admin" => {
                expect.no_strangers();
                KNOWN[..4].iter().for_each(|actor| expect.answered(actor, &[403]));
                expect.let_in("platform admin");
            }
            "owner_or_platform_admin" => {
                expect.no_strangers();
                ["foreign user", "low role"]
                    .iter()
                    .for_each(|actor| expect.answered(actor, &[403]));
                ["owner", "platform admin"]
                    .iter()
                    .for_each(|actor| expect.let_in(actor));
                expect.nothing_of_others();
            }
            rule if rule.contains('.') && rule.ends_with(OR_PLATFORM_ADMIN) => {
                expect.let_in("platform admin");
                self.members(rule.trim_end_matches(OR_PLATFORM_ADMIN), &expect);
            }
            permission if permission.contains('.') => {
                // Who runs the platform owns no tenant's data.
                expect.answered("platform admin", &[403]);
                self.members(permission, &expect);
            }
            unknown => panic!("{}: the matrix does not know the rule `{unknown}`", operation.id),
        }
    }

    /// Who belongs to the tenant may what the permission says, and nobody else.
    fn members(&self, permission: &str, expect: &Expect<'_>) {
        expect.no_strangers();
        expect.let_in("owner");
        match self.low.contains(permission) {
            true => expect.let_in("low role"),
            false => expect.answered("low role", &[403]),
        }
        expect.nothing_of_others();
    }
}

struct Expect<'a> {
    operation: &'a Operation,
    answers: &'a Answers,
}

impl Expect<'_> {
    fn answered(&self, actor: &str, statuses: &[u16]) {
        let Operation {
            method, path, rule, ..
        } = self.operation;
        let answer = self.answers[actor];
        let hint = if matches!(answer, 400 | 415 | 422) {
            "; give it a body in `probes.rs`"
        } else {
            ""
        };
        assert!(
            statuses.contains(&answer),
            "{method} {path} ({rule}): {actor} was answered {answer}, not {statuses:?}{hint}"
        );
    }

    fn let_in(&self, actor: &str) {
        let Operation {
            method, path, rule, ..
        } = self.operation;
        let answer = self.answers[actor];
        assert!(
            !matches!(answer, 401 | 403 | 404),
            "{method} {path} ({rule}): {actor} was answered {answer}"
        );
    }

    fn all_within_reason(&self) {
        let Operation { method, path, .. } = self.operation;
        assert!(
            self.answers.values().all(|answer| *answer < 500),
            "{method} {path}: {:?}",
            self.answers
        );
    }

    fn no_strangers(&self) {
        ["anonymous", "bogus token"]
            .iter()
            .for_each(|actor| self.answered(actor, &[401]));
    }

    fn nobody_without_a_signature(&self) {
        self.answers
            .keys()
            .for_each(|actor| self.answered(actor, &[401, 403]));
    }

    fn nobody_finds_it(&self) {
        self.answers.keys().for_each(|actor| self.answered(actor, &[404]));
    }

    /// An object in the path is the first tenant's: for the others it does not exist.
    fn nothing_of_others(&self) {
        if !self.operation.collections().is_empty() {
            let not_found: &[u16] = if self.operation.rule.contains('.') {
                &[404]
            } else {
                &[403, 404]
            };
            self.answered("foreign user", not_found);
            self.answered("foreign owner", &[404]);
        }
    }
}
