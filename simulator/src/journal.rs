//! The state file: one JSON object a line, only ever appended to.
//!
//! A line is written before its effect is told to anybody. `kill -9` loses nothing that was written; `fsync` would
//! only matter when the machine itself dies, which a test peer need not survive.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::messages::MessageRecord;

/// The state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Cannot be opened, read or written.
    #[error("the simulator's state file {path} cannot be used")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Two simulators on one file would count each other's messages.
    #[error("the simulator's state file {0} is in use by another simulator")]
    InUse(PathBuf),
    /// A line, and not just an unfinished last one, makes no sense.
    #[error("line {line} of the simulator's state file {path} cannot be read")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
}

/// Something that happened.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record<'a> {
    /// A message was accepted. Its number is that of the `accepted` lines before it.
    Accepted(#[serde(borrow)] Box<MessageRecord<'a>>),
    /// An attempt was refused.
    Refused {
        /// Under which key; none where the request named neither a reference nor a number.
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        key: Option<Cow<'a, str>>,
        /// The code, or `cut`.
        #[serde(borrow)]
        code: Cow<'a, str>,
    },
    /// An account of Twilio's was named with this token, which signs its callbacks.
    Account {
        #[serde(borrow)]
        sid: Cow<'a, str>,
        #[serde(borrow)]
        token: Cow<'a, str>,
    },
    /// Callbacks were answered with 2xx: number of the message, and of the step.
    Acknowledged(Vec<(u32, u8)>),
}

/// The open state file.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    /// All of it up to here is whole lines.
    length: u64,
    line: Vec<u8>,
}

impl Journal {
    /// Opens the file, or makes it, and hands every record in it to `take`. An unfinished last line is cut off.
    pub(crate) fn open(path: &Path, mut take: impl FnMut(Record<'_>)) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Io {
            path: path.to_owned(),
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            // There are people's numbers in it, and tokens.
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => JournalError::InUse(path.to_owned()),
            std::fs::TryLockError::Error(source) => failed(source),
        })?;
        let mut journal = Self {
            file,
            path: path.to_owned(),
            length: 0,
            line: Vec::new(),
        };
        journal.replay(&mut take)?;
        journal.file.set_len(journal.length).map_err(failed)?;
        Ok(journal)
    }

    fn replay(&mut self, take: &mut impl FnMut(Record<'_>)) -> Result<(), JournalError> {
        let mut reader = BufReader::new(&self.file);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = reader.read_until(b'\n', &mut line);
            let read = read.map_err(|source| JournalError::Io {
                path: self.path.clone(),
                source,
            })?;
            if line.last() != Some(&b'\n') {
                break;
            }
            let record = serde_json::from_slice(&line);
            take(record.map_err(|source| JournalError::Line {
                path: self.path.clone(),
                line: number,
                source,
            })?);
            self.length += read as u64;
        }
        Ok(())
    }

    /// Appends one record, whole or not at all.
    pub(crate) fn append(&mut self, record: &Record<'_>) -> Result<(), JournalError> {
        self.line.clear();
        let written = serde_json::to_writer(&mut self.line, record)
            .map_err(std::io::Error::from)
            .and_then(|()| {
                self.line.push(b'\n');
                self.file.write_all(&self.line)
            });
        match written {
            Ok(()) => {
                self.length += self.line.len() as u64;
                Ok(())
            }
            Err(source) => {
                // Half a line would spoil the next one; a full disk still lets files shrink.
                let _ = self.file.set_len(self.length);
                Err(JournalError::Io {
                    path: self.path.clone(),
                    source,
                })
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) -> Result<(), JournalError> {
        self.file.set_len(0).map_err(|source| JournalError::Io {
            path: self.path.clone(),
            source,
        })?;
        self.length = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &'static str) -> Record<'static> {
        Record::Refused {
            key: None,
            code: code.into(),
        }
    }

    fn codes(path: &Path) -> (Journal, Vec<String>) {
        let mut codes = Vec::new();
        let journal = Journal::open(path, |record| {
            if let Record::Refused { code, .. } = record {
                codes.push(code.into_owned());
            }
        });
        (journal.unwrap(), codes)
    }

    #[test]
    fn an_unfinished_last_line_is_cut_off_and_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.jsonl");
        let (mut journal, _) = codes(&path);
        journal.append(&refused("1")).unwrap();
        drop(journal);
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"refused\":{\"co")
            .unwrap();

        let (mut journal, known) = codes(&path);
        assert_eq!(known, ["1"]);
        journal.append(&refused("2")).unwrap();
        drop(journal);
        assert_eq!(codes(&path).1, ["1", "2"]);
    }

    #[test]
    fn a_spoiled_line_in_the_middle_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.jsonl");
        std::fs::write(&path, "{\"refused\":{\"code\":\"1\"}}\nrubbish\n").unwrap();
        assert!(matches!(
            Journal::open(&path, |_| ()),
            Err(JournalError::Line { line: 2, .. })
        ));
    }

    #[test]
    fn a_state_file_is_nobody_elses_business() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.jsonl");
        let (_journal, _) = codes(&path);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn one_file_belongs_to_one_simulator() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.jsonl");
        let (_journal, _) = codes(&path);
        assert!(matches!(
            Journal::open(&path, |_| ()),
            Err(JournalError::InUse(_))
        ));
    }
}
