//! The shell blocks of a document and the answers printed under them.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::process;

/// A shell block, and the answer that is printed after it, if one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) commands: String,
    pub(crate) printed: Option<String>,
}

/// The steps of one section of a Markdown document: ` ```sh ` is typed, what follows as ` ```json ` or ` ```text ` is
/// the answer to it.
pub(crate) fn steps(document: &str, heading: &str) -> Vec<Step> {
    let section = document
        .split("\n## ")
        .find(|section| section.starts_with(heading))
        .unwrap();
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = section.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let text = block.join("\n");
        match language {
            "sh" => steps.push(Step {
                commands: text,
                printed: None,
            }),
            "json" | "text" => {
                let step = steps.last_mut().expect("an answer follows a command");
                assert_eq!(
                    step.printed.replace(text),
                    None,
                    "two answers to one block:\n{}",
                    step.commands
                );
            }
            other => panic!("a block of {other} in the walk: neither typed nor printed"),
        }
    }
    steps
}

const MARK: &str = "@@@ end of block";

/// Runs blocks as they stand in one bash session; what each printed, on either stream. `after` is run last.
pub(crate) async fn run(blocks: &[Step], after: &str, folder: &Path, patience: Duration) -> Vec<String> {
    let mut script = "exec 2>&1\n".to_owned();
    for step in blocks {
        script.push_str(&format!("{}\necho '{MARK}'\n", step.commands));
    }
    script.push_str(after);
    let output = folder.join("walk.log");
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", &script])
        .current_dir(folder)
        .process_group(0);
    bash.stdin(Stdio::null()).stdout(File::create(&output).unwrap());
    let mut session = Session(bash.spawn().unwrap());
    let printed = || fs::read_to_string(&output).unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = session.0.try_wait().unwrap() {
            break status;
        }
        // A step that failed may leave a later one in its loop for ever.
        assert!(
            begun.elapsed() < patience,
            "no end after {patience:?}:\n{}",
            printed()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(status.success(), "{status}\n{}", printed());
    printed().split(&format!("{MARK}\n")).map(str::to_owned).collect()
}

/// A bash and all that it started.
struct Session(Child);

impl Drop for Session {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            process::signal_group(self.0.id(), Signal::KILL);
            self.0.wait().ok();
        }
    }
}

/// Asserts that the answer is as printed. `…` stands for one id, token, number or time: for anything without space,
/// quotation mark or bracket.
#[track_caller]
pub(crate) fn assert_as_printed(printed: &str, answer: &str) {
    let (printed, answer): (Vec<_>, Vec<_>) = (printed.lines().collect(), answer.lines().collect());
    let wrong = printed
        .iter()
        .zip(&answer)
        .position(|(printed, answer)| !fits(printed, answer));
    if let Some(line) = wrong {
        panic!(
            "line {}\nprinted: {}\nanswer:  {}",
            line + 1,
            printed[line],
            answer[line]
        );
    }
    assert_eq!(
        printed.len(),
        answer.len(),
        "printed:\n{printed:#?}\nanswer:\n{answer:#?}"
    );
}

fn fits(printed: &str, answer: &str) -> bool {
    let mut pieces = printed.split('…');
    let Some(mut rest) = pieces.next().and_then(|first| answer.strip_prefix(first)) else {
        return false;
    };
    for piece in pieces {
        // As far as a value reaches. What follows it in the text is no part of any value.
        let end = rest
            .find([' ', '"', ',', '(', ')', '[', ']', '{', '}'])
            .unwrap_or(rest.len());
        let end = if piece.starts_with(')') {
            rest.find(')').unwrap_or(end)
        } else {
            end
        };
        let Some(after) = rest
            .get(end..)
            .filter(|_| end > 0)
            .and_then(|rest| rest.strip_prefix(piece))
        else {
            return false;
        };
        rest = after;
    }
    rest.is_empty()
}

#[test]
fn an_ellipsis_stands_for_one_value_and_nothing_else() {
    assert!(fits("{\"id\":\"…\",\"n\":…}", "{\"id\":\"0198-a\",\"n\":12}"));
    assert!(fits(
        "plaza 0.1.0 (…) is ready in … s",
        "plaza 0.1.0 (unknown, debug) is ready in 1.2 s"
    ));
    assert!(fits("plain", "plain"));
    assert!(!fits("{\"id\":\"…\"}", "{\"id\":\"\"}"));
    assert!(!fits("{\"id\":\"…\"}", "{\"id\":\"a\",\"b\":\"c\"}"));
    assert!(!fits("{\"valid\":9500}", "{\"valid\":9501}"));
    assert!(!fits("short", "short and more"));
}

#[test]
fn answers_belong_to_the_block_before_them() {
    let document = "# T\n\n## Other\n```sh\nno\n```\n\n## Walk\n```sh\na\nb\n```\ntext\n```json\n{}\n```\n```sh\nc\n```\n";
    let expected = [
        Step {
            commands: "a\nb".into(),
            printed: Some("{}".into()),
        },
        Step {
            commands: "c".into(),
            printed: None,
        },
    ];
    assert_eq!(steps(document, "Walk"), expected);
}
