//! A mail server (Debian's `python3-aiosmtpd`, which shares no code with us), and what it was sent.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout};
use tokio::sync::watch;

use crate::marked::Mark;
use crate::programs;

/// The Debian package.
pub const PACKAGE: &str = "python3-aiosmtpd";

const PROGRAM: &str = include_str!("smtp/server.py");
const READY_WITHIN: Duration = Duration::from_secs(30);
const SEEN_WITHIN: Duration = Duration::from_secs(60);

/// How a mail server wants to be spoken to.
#[derive(Debug, Clone, Default)]
pub struct SmtpOptions {
    /// The port; any unless given.
    pub port: u16,
    /// Who may hand over mails: name and password. Anybody unless given.
    pub login: Option<(String, String)>,
    /// Whether the conversation is kept from others.
    pub tls: SmtpTls,
}

/// Whether a mail server speaks TLS, under a certificate of its own for `localhost`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SmtpTls {
    /// No.
    #[default]
    None,
    /// From the first byte.
    AtOnce,
    /// After STARTTLS, and before that it takes nothing.
    StartTls,
}

/// A mail as it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReceivedMail {
    /// Of the envelope.
    pub sender: String,
    /// Of the envelope.
    pub recipients: Vec<String>,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Who had logged in.
    pub login: Option<String>,
    /// Decoded.
    pub subject: String,
    /// The header, decoded.
    pub from: String,
    /// All headers in order, decoded.
    pub headers: Vec<(String, String)>,
    /// The part that is plain text.
    pub text: Option<String>,
    /// The part that is HTML.
    pub html: Option<String>,
}

impl ReceivedMail {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let wanted = |header: &&(String, String)| header.0.eq_ignore_ascii_case(name);
        self.headers.iter().find(wanted).map(|(_, value)| value.as_str())
    }

    /// The first line of the text that is an address of the web.
    ///
    /// # Panics
    /// When there is none.
    pub fn link(&self) -> String {
        let text = self.text.as_deref().unwrap_or_default();
        let link = text.lines().find(|line| line.starts_with("http"));
        match link {
            Some(link) => link.trim_end().to_owned(),
            None => panic!("no link in this mail:\n{text}"),
        }
    }
}

/// A mail server on the loopback address; ends when it is dropped.
///
/// What it does with a mail depends on the address that it is for: `smtp/server.py` says how.
pub struct SmtpServer {
    port: u16,
    mails: watch::Receiver<Vec<ReceivedMail>>,
    folder: TempDir,
    mark: Mark,
    _child: Child,
}

/// What the server says, a line at a time.
#[derive(Debug, Deserialize)]
struct Told {
    port: Option<u16>,
    mail: Option<ReceivedMail>,
}

impl SmtpServer {
    /// Starts one that takes every mail.
    ///
    /// # Panics
    /// When there is no aiosmtpd, or it does not start.
    pub async fn start() -> Self {
        Self::start_with(SmtpOptions::default()).await
    }

    /// The same with options.
    ///
    /// # Panics
    /// When there is no aiosmtpd, or it does not start.
    pub async fn start_with(options: SmtpOptions) -> Self {
        match Self::try_start(&options).await {
            Ok(server) => server,
            Err(error) => panic!("no mail server for this test ({PACKAGE}): {error:#}"),
        }
    }

    async fn try_start(options: &SmtpOptions) -> Result<Self> {
        let python = programs::find("python3", "python3", &["/usr/bin"])?;
        let folder = tempfile::tempdir()?;
        let mark = Mark::owned(folder.path())?;
        let is_open = options.tls == SmtpTls::None;
        if !is_open {
            certify(folder.path())?;
        }
        let file = |name: &str| (!is_open).then(|| folder.path().join(name));
        let told = json!({
            "port": options.port,
            "login": options.login,
            "tls": if options.tls == SmtpTls::AtOnce { "at_once" } else { "" },
            "certificate": file(CERTIFICATE),
            "key": file(KEY),
        });
        let mut command = Command::new(python);
        mark.put_on(&mut command);
        command
            // -I: neither the environment nor the current folder changes what is imported.
            .args(["-I", "-c", PROGRAM, &told.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(folder.path().join(ERRORS))?);
        let mut child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().context("it has no output")?;
        let mut lines = BufReader::new(output).lines();
        let first = tokio::time::timeout(READY_WITHIN, lines.next_line()).await;
        let Ok(Ok(Some(first))) = first else {
            let said = std::fs::read_to_string(folder.path().join(ERRORS)).unwrap_or_default();
            bail!("it does not listen:\n{said}");
        };
        let first: Told = serde_json::from_str(&first)?;
        Ok(Self {
            port: first.port.context("it does not say where it listens")?,
            mails: listen(lines),
            folder,
            mark,
            _child: child,
        })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `smtp://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("smtp://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// The certificate, which nobody else signed: a file that holds it (PEM).
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join(CERTIFICATE)
    }

    /// All mails so far, in the order in which they came.
    pub fn mails(&self) -> Vec<ReceivedMail> {
        self.mails.borrow().clone()
    }

    /// Waits for so many mails to an address.
    ///
    /// # Panics
    /// When there are fewer after a minute.
    pub async fn wait_for(&self, count: usize, to: &str) -> Vec<ReceivedMail> {
        let wanted = |mails: &[ReceivedMail]| -> Vec<ReceivedMail> {
            let theirs = |mail: &&ReceivedMail| mail.recipients.iter().any(|address| address == to);
            mails.iter().filter(theirs).cloned().collect()
        };
        let mut mails = self.mails.clone();
        let waiting = mails.wait_for(|mails| wanted(mails).len() >= count);
        match tokio::time::timeout(SEEN_WITHIN, waiting).await {
            Ok(Ok(mails)) => wanted(&mails),
            _ => panic!("not {count} mails to {to}: {:#?}", self.mails()),
        }
    }

    /// Waits for a mail to an address, the only one.
    ///
    /// # Panics
    /// When there is none after a minute, or there are several.
    pub async fn mail_to(&self, to: &str) -> ReceivedMail {
        let mut mails = self.wait_for(1, to).await;
        match (mails.pop(), mails.is_empty()) {
            (Some(mail), true) => mail,
            _ => panic!("several mails to {to}: {:#?}", self.mails()),
        }
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        if let Err(error) = self.mark.kill() {
            eprintln!("a test's mail server runs on: {error:#}");
        }
    }
}

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
const ERRORS: &str = "errors";

/// Collects what the server says until it ends.
fn listen(mut lines: tokio::io::Lines<BufReader<ChildStdout>>) -> watch::Receiver<Vec<ReceivedMail>> {
    let (mails, seen) = watch::channel(Vec::new());
    #[expect(clippy::disallowed_methods, reason = "ends with the server")]
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            let told: Option<Told> = serde_json::from_str(&line).ok();
            if let Some(mail) = told.and_then(|told| told.mail) {
                mails.send_modify(|mails| mails.push(mail));
            }
        }
    });
    seen
}

/// Makes a key, and a certificate that it signs itself, for `localhost`.
fn certify(folder: &Path) -> Result<()> {
    let openssl = programs::find("openssl", "openssl", &["/usr/bin"])?;
    let config = "[req]\ndistinguished_name = name\nx509_extensions = own\nprompt = no\n[name]\nCN = localhost\n\
                  [own]\nsubjectAltName = DNS:localhost,IP:127.0.0.1\nbasicConstraints = critical,CA:FALSE\n";
    std::fs::write(folder.join("openssl.cnf"), config)?;
    let curve = "ec_paramgen_curve:prime256v1";
    let done = Command::new(openssl)
        .current_dir(folder)
        .args(["req", "-x509", "-config", "openssl.cnf", "-nodes", "-days", "2"])
        .args([
            "-newkey",
            "ec",
            "-pkeyopt",
            curve,
            "-keyout",
            KEY,
            "-out",
            CERTIFICATE,
        ])
        .stdin(Stdio::null())
        .output()?;
    if !done.status.success() {
        bail!("no certificate:\n{}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}
