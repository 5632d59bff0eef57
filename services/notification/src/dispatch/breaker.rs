//! When a source is stopped because its messages fail. No I/O here.
//!
//! A campaign whose template is wrong fails a hundred thousand times, and each failure costs the sender some of its
//! standing with the provider. So failures are counted by their sort, among the last answers of one source, and too many of
//! one sort hold the source back: nothing is dropped, and somebody decides.

use std::collections::{HashMap, VecDeque};

use crate::providers::ErrorClass;
use crate::terms::BreakerTerms;

/// The most sources whose answers are remembered; those are forgotten first that were answered longest ago.
const SOURCES: usize = 100;

/// What the last answers to the sources of one sender were.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    sources: HashMap<String, Answers>,
    /// Counts all answers, to tell which source was answered last.
    clock: u64,
}

/// The last answers to one source: none is a success.
#[derive(Debug, Default)]
struct Answers {
    last: VecDeque<Option<ErrorClass>>,
    failed: HashMap<ErrorClass, usize>,
    at: u64,
}

/// Too many failures of one sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tripped {
    pub(super) class: ErrorClass,
    pub(super) failed: u64,
    pub(super) tried: u64,
}

impl Breaker {
    /// Counts an answer; what it trips. After that the source starts anew.
    pub(super) fn count(
        &mut self,
        source: &str,
        failure: Option<ErrorClass>,
        terms: BreakerTerms,
    ) -> Option<Tripped> {
        self.clock += 1;
        self.forget(source);
        let answers = self.sources.entry(source.to_owned()).or_default();
        answers.at = self.clock;
        answers.push(failure, terms.window.clamp(1, 10_000));
        let tripped = answers.tripped(failure?, terms)?;
        self.sources.remove(source);
        Some(tripped)
    }

    fn forget(&mut self, source: &str) {
        if self.sources.len() < SOURCES || self.sources.contains_key(source) {
            return;
        }
        let oldest = self.sources.iter().min_by_key(|(_, answers)| answers.at);
        if let Some(oldest) = oldest.map(|(source, _)| source.clone()) {
            self.sources.remove(&oldest);
        }
    }
}

impl Answers {
    fn push(&mut self, failure: Option<ErrorClass>, window: usize) {
        while self.last.len() >= window {
            if let Some(class) = self.last.pop_front().flatten()
                && let Some(count) = self.failed.get_mut(&class)
            {
                *count -= 1;
            }
        }
        self.last.push_back(failure);
        if let Some(class) = failure {
            *self.failed.entry(class).or_default() += 1;
        }
    }

    fn tripped(&self, class: ErrorClass, terms: BreakerTerms) -> Option<Tripped> {
        let tried = self.last.len();
        let (failed, tried) = (*self.failed.get(&class)? as u64, tried as u64);
        is_too_many(class, failed, tried, terms).then_some(Tripped { class, failed, tried })
    }
}

/// Whether so many failures of a sort, of so many tries, are too many.
pub(crate) fn is_too_many(class: ErrorClass, failed: u64, tried: u64, terms: BreakerTerms) -> bool {
    if class == (ErrorClass::Template { stop: true }) {
        // The provider said so of all of them.
        return failed > 0;
    }
    let enough = failed >= terms.failures.max(1) as u64 && failed * 100 >= tried * u64::from(terms.share);
    counts(class) && enough
}

/// Whether many failures of this sort say something about the source. What is about the sender stops the sender, what may
/// pass is tried again, and what one person wants is about that person: they are counted as tried and nothing else.
fn counts(class: ErrorClass) -> bool {
    match class {
        ErrorClass::Template { .. }
        | ErrorClass::Final
        | ErrorClass::Unreachable
        | ErrorClass::WindowClosed
        | ErrorClass::Pacing => true,
        ErrorClass::Backoff
        | ErrorClass::Throttled
        | ErrorClass::Pair
        | ErrorClass::StopSender
        | ErrorClass::Credentials
        | ErrorClass::OptedOut => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(answers: &[Option<ErrorClass>], terms: BreakerTerms) -> Vec<Option<Tripped>> {
        let mut breaker = Breaker::default();
        let each = answers
            .iter()
            .map(|answer| breaker.count("campaign:1", *answer, terms));
        each.collect()
    }

    const REFUSED: Option<ErrorClass> = Some(ErrorClass::Final);

    #[test]
    fn many_failures_of_one_sort_trip_and_a_few_do_not() {
        let terms = BreakerTerms::default();
        let trips = told(&[REFUSED; 20], terms);
        assert!(trips[..19].iter().all(Option::is_none));
        assert_eq!(
            trips[19],
            Some(Tripped {
                class: ErrorClass::Final,
                failed: 20,
                tried: 20
            })
        );
        let mixed: Vec<_> = (0..400)
            .map(|at| if at % 5 == 0 { REFUSED } else { None })
            .collect();
        assert!(
            told(&mixed, terms).iter().all(Option::is_none),
            "a fifth is less than a quarter"
        );
        let sorts = [REFUSED, Some(ErrorClass::Unreachable)];
        let two: Vec<_> = (0..38).map(|at| sorts[at % 2]).collect();
        assert!(
            told(&two, terms).iter().all(Option::is_none),
            "nineteen of each sort"
        );
    }

    #[test]
    fn what_is_long_ago_does_not_count() {
        let terms = BreakerTerms {
            window: 50,
            ..BreakerTerms::default()
        };
        let mut answers = vec![REFUSED; 19];
        answers.extend([None; 50]);
        answers.extend([REFUSED; 19]);
        assert!(told(&answers, terms).iter().all(Option::is_none));
        answers.push(REFUSED);
        assert!(told(&answers, terms).last().unwrap().is_some());
    }

    #[test]
    fn a_template_that_the_provider_stopped_trips_at_once() {
        let answers = [None, Some(ErrorClass::Template { stop: true })];
        assert!(told(&answers, BreakerTerms::default())[1].is_some());
    }

    #[test]
    fn what_may_pass_trips_nothing() {
        for class in [
            ErrorClass::Backoff,
            ErrorClass::Throttled,
            ErrorClass::Pair,
            ErrorClass::OptedOut,
        ] {
            assert!(
                told(&[Some(class); 300], BreakerTerms::default())
                    .iter()
                    .all(Option::is_none)
            );
        }
    }

    #[test]
    fn sources_do_not_count_for_each_other_and_are_not_remembered_for_ever() {
        let (mut breaker, terms) = (Breaker::default(), BreakerTerms::default());
        for at in 0..1_000 {
            assert_eq!(
                breaker.count(&format!("campaign:{}", at % 200), REFUSED, terms),
                None
            );
        }
        assert!(breaker.sources.len() <= SOURCES);
    }
}
