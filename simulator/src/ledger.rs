//! All that the simulator knows: what was accepted, refused and acknowledged. Every change is written to the state
//! file first.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use plaza_telemetry::trace::TraceContext;
use secrecy::{ExposeSecret, SecretString};

use crate::draws::digest;
use crate::faults::Fault;
use crate::journal::{Journal, JournalError, Record};
use crate::limits::Limits;
use crate::messages::{Content, Message, Provider, Words};
use crate::plan::plan;
use crate::settings::SimulatorSettings;
use crate::tally::Counts;
use crate::twilio;

/// Number of an accepted message: how many were accepted before it.
pub(crate) type MessageNumber = u32;

/// A request to send that is well formed.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) phone_number_id: String,
    /// Digits only.
    pub(crate) to: String,
    pub(crate) reference: Option<String>,
    pub(crate) content: SubmittedContent,
    /// The trace that the request belongs to.
    pub(crate) trace: Option<TraceContext>,
    /// Whose API it came in by.
    pub(crate) provider: Provider,
}

#[derive(Debug)]
pub(crate) enum SubmittedContent {
    Template {
        name: String,
        language: String,
        components: String,
    },
    Text {
        body: String,
    },
}

/// What becomes of a submission.
#[derive(Debug)]
pub(crate) enum Decision {
    /// Accepted under this name, and how it is answered.
    Accepted {
        wamid: String,
        number: MessageNumber,
        answer: Answer,
    },
    /// Refused with a code.
    Refused(u32),
    /// Nothing was accepted and nothing is answered.
    Cut,
}

/// How an accepted message is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Prompt,
    Stalled,
    None,
}

/// What came before under the same key.
#[derive(Debug, Default, Clone, Copy)]
struct Attempts {
    refused: u16,
    accepted: u16,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    journal: Option<Journal>,
    messages: Vec<Message>,
    /// By reference; without one by `to:` and the number.
    attempts: HashMap<Arc<str>, Attempts>,
    words: Words,
    /// The tokens of Twilio's accounts, by the accounts' ids: what their callbacks are signed with.
    accounts: HashMap<Arc<str>, SecretString>,
    /// How much each number has sent.
    limits: Limits,
    counts: Counts,
    /// Grows with every reset, so that what is on its way from before is told apart.
    era: u64,
}

impl Ledger {
    /// Reads the state file, if there is one.
    pub(crate) fn open(settings: &SimulatorSettings) -> Result<Self, JournalError> {
        let mut ledger = Self::default();
        if let Some(path) = &settings.state_file {
            let journal = Journal::open(path, |record| ledger.replay(record))?;
            ledger.journal = Some(journal);
        }
        Ok(ledger)
    }

    fn replay(&mut self, record: Record<'_>) {
        match record {
            Record::Accepted(record) => {
                let message = record.restored(&mut self.words);
                self.take(message);
            }
            Record::Refused { key, code } => {
                if let Some(key) = key {
                    let attempts = self.attempts(&key);
                    attempts.refused = attempts.refused.saturating_add(1);
                }
                self.counts.refused(&code);
            }
            Record::Account { sid, token } => {
                let sid = self.words.shared(&sid);
                self.accounts.insert(sid, token.as_ref().into());
            }
            Record::Acknowledged(steps) => self.count_acknowledged(&steps),
        }
    }

    /// Accepts or refuses.
    pub(crate) fn submit(
        &mut self,
        settings: &SimulatorSettings,
        submission: Submission,
        now: DateTime<Utc>,
    ) -> Result<Decision, JournalError> {
        let key = key_of(submission.reference.as_deref(), &submission.to);
        let template = match &submission.content {
            SubmittedContent::Template { name, .. } => Some(name.as_str()),
            SubmittedContent::Text { .. } => None,
        };
        let fault = match &submission.provider {
            Provider::Meta => Fault::of(settings, &submission.to, &key, template),
            Provider::Twilio { .. } => twilio::fault(settings, &submission.to, &key),
        };
        if submission.provider == Provider::Meta {
            let from = self.words.shared(&submission.phone_number_id);
            if let Err(code) = self.limits.take(settings, (&from, &submission.to), now) {
                return self.refuse(None, code).map(|()| Decision::Refused(code));
            }
        }
        let before = *self.attempts(&key);
        let passing = before.refused < settings.transient_attempts;
        match fault {
            Some(Fault::Refused(code)) => self.refuse(Some(&key), code).map(|()| Decision::Refused(code)),
            Some(Fault::RefusedAtFirst(code)) if passing => {
                self.refuse(Some(&key), code).map(|()| Decision::Refused(code))
            }
            Some(Fault::Cut) if passing => self.note_refused(Some(&key), "cut").map(|()| Decision::Cut),
            _ => self.accept(settings, submission, &key, fault, before, now),
        }
    }

    fn accept(
        &mut self,
        settings: &SimulatorSettings,
        submission: Submission,
        key: &str,
        fault: Option<Fault>,
        before: Attempts,
        now: DateTime<Utc>,
    ) -> Result<Decision, JournalError> {
        let random = digest(
            settings.seed,
            &["wamid", &submission.to, key, &before.accepted.to_string()],
        );
        let mut steps = plan(settings, fault, &submission.to, key, before.accepted);
        let wamid = match &submission.provider {
            Provider::Meta => wamid(&submission.to, &random),
            Provider::Twilio { .. } => {
                twilio::adapt(&mut steps, submission.reference.is_some());
                twilio::sid(&random)
            }
        };
        let message = Message {
            wamid: wamid.as_str().into(),
            phone_number_id: self.words.shared(&submission.phone_number_id),
            reference: submission.reference.map(Arc::from),
            content: self.stored(submission.content),
            at: now,
            attempts: before.refused.saturating_add(before.accepted).saturating_add(1),
            steps: steps.into(),
            done: 0,
            trace: submission.trace,
            provider: submission.provider,
            to: submission.to.into(),
        };
        if let Some(journal) = &mut self.journal {
            journal.append(&Record::Accepted(Box::new((&message).into())))?;
        }
        let number = self.take(message);
        let answer = match fault {
            Some(Fault::Stalled) if before.accepted == 0 => Answer::Stalled,
            Some(Fault::Unanswered) if before.accepted == 0 => Answer::None,
            _ => Answer::Prompt,
        };
        Ok(Decision::Accepted {
            wamid,
            number,
            answer,
        })
    }

    fn stored(&mut self, content: SubmittedContent) -> Content {
        match content {
            SubmittedContent::Template {
                name,
                language,
                components,
            } => Content::Template {
                name: self.words.shared(&name),
                language: self.words.shared(&language),
                components: components.into(),
            },
            SubmittedContent::Text { body } => Content::Text { body: body.into() },
        }
    }

    /// Puts a message that is written down into the books.
    fn take(&mut self, mut message: Message) -> MessageNumber {
        let key = key_of(message.reference.as_deref(), &message.to);
        let attempts = self.attempts(&key);
        let is_new = attempts.accepted == 0 || message.reference.is_none();
        attempts.accepted = attempts.accepted.saturating_add(1);
        message.reference = message.reference.map(|_| self.shared(&key));
        self.counts.accepted(&message, is_new);
        self.messages.push(message);
        // Four billion messages do not fit the memory.
        u32::try_from(self.messages.len() - 1).unwrap_or(u32::MAX)
    }

    /// Notes with which token an account of Twilio's was named last.
    pub(crate) fn note_account(&mut self, sid: &str, token: &SecretString) -> Result<(), JournalError> {
        let known = self.accounts.get(sid);
        if known.is_some_and(|known| known.expose_secret() == token.expose_secret()) {
            return Ok(());
        }
        if let Some(journal) = &mut self.journal {
            journal.append(&Record::Account {
                sid: sid.into(),
                token: token.expose_secret().into(),
            })?;
        }
        let sid = self.words.shared(sid);
        self.accounts.insert(sid, token.clone());
        Ok(())
    }

    /// The token of an account of Twilio's, once a request named it.
    pub(crate) fn token_of(&self, sid: &str) -> Option<&SecretString> {
        self.accounts.get(sid)
    }

    /// Notes a refusal with a code.
    pub(crate) fn refuse(&mut self, key: Option<&str>, code: u32) -> Result<(), JournalError> {
        self.note_refused(key, &code.to_string())
    }

    fn note_refused(&mut self, key: Option<&str>, code: &str) -> Result<(), JournalError> {
        if let Some(journal) = &mut self.journal {
            journal.append(&Record::Refused {
                key: key.map(Into::into),
                code: code.into(),
            })?;
        }
        if let Some(key) = key {
            let attempts = self.attempts(key);
            attempts.refused = attempts.refused.saturating_add(1);
        }
        self.counts.refused(code);
        Ok(())
    }

    /// Notes that steps were answered with 2xx, unless everything was forgotten in between.
    pub(crate) fn acknowledge(
        &mut self,
        era: u64,
        steps: &[(MessageNumber, u8)],
    ) -> Result<(), JournalError> {
        if era != self.era {
            return Ok(());
        }
        if let Some(journal) = &mut self.journal {
            journal.append(&Record::Acknowledged(steps.to_vec()))?;
        }
        self.count_acknowledged(steps);
        Ok(())
    }

    fn count_acknowledged(&mut self, steps: &[(MessageNumber, u8)]) {
        for &(number, step) in steps {
            let message = self.messages.get_mut(number as usize);
            // A step that was counted before is not counted again.
            let Some(message) =
                message.filter(|message| message.done == step && message.next_step().is_some())
            else {
                continue;
            };
            let before = message.reached();
            message.done += 1;
            self.counts.acknowledged(message, before);
        }
    }

    /// Counts a callback request that was not answered with 2xx.
    pub(crate) fn callback_refused(&mut self) {
        self.counts.callbacks.refused_requests += 1;
    }

    /// Forgets everything, in the state file too.
    pub(crate) fn reset(&mut self) -> Result<(), JournalError> {
        let mut journal = self.journal.take();
        let cleared = journal.as_mut().map_or(Ok(()), Journal::clear);
        if cleared.is_err() {
            self.journal = journal;
            return cleared;
        }
        *self = Self {
            journal,
            era: self.era + 1,
            ..Self::default()
        };
        Ok(())
    }

    pub(crate) fn era(&self) -> u64 {
        self.era
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Allocates the key even where it is known, which costs little beside writing a line.
    fn attempts(&mut self, key: &str) -> &mut Attempts {
        self.attempts.entry(key.into()).or_default()
    }

    /// The key as the books hold it, so that a message does not keep a copy.
    fn shared(&self, key: &str) -> Arc<str> {
        self.attempts
            .get_key_value(key)
            .map_or_else(|| key.into(), |(known, _)| Arc::clone(known))
    }
}

fn key_of(reference: Option<&str>, to: &str) -> String {
    reference.map_or_else(|| format!("to:{to}"), ToOwned::to_owned)
}

/// Shaped like the ids that WhatsApp gives: base64 of the number and a random part.
fn wamid(to: &str, random: &[u8; 32]) -> String {
    let mut bytes = vec![0x1d, 0x18, u8::try_from(to.len()).unwrap_or(u8::MAX)];
    bytes.extend_from_slice(to.as_bytes());
    bytes.extend_from_slice(&[0x15, 0x02, 0x00, 0x11, 0x18, 0x12]);
    bytes.extend_from_slice(hex::encode_upper(&random[..9]).as_bytes());
    bytes.push(0);
    format!("wamid.{}", STANDARD.encode(bytes))
}
