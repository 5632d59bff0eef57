//! A notification that keeps the mails it is given, and fails as a test tells it.

use std::sync::{Arc, Mutex};

use plaza_contracts::proto::notification::mails_server::{Mails, MailsServer};
use plaza_contracts::proto::notification::{SendMailReply, SendMailRequest};
use plaza_contracts::services::NOTIFICATION;
use plaza_kernel::{Failure, Kind};
use plaza_rpc::Directory;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// Takes mails.
#[derive(Clone, Default)]
pub(crate) struct StubNotification(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    taken: Vec<Taken>,
    failure: Option<(Kind, bool)>,
}

/// A mail that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) id: String,
    pub(crate) recipient: String,
    pub(crate) template: String,
    pub(crate) locale: String,
    pub(crate) values: Vec<(String, String)>,
}

impl Taken {
    /// The value of a place in the template.
    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> &str {
        let found = self.values.iter().find(|(known, _)| known == name);
        found.map_or_else(|| panic!("no {name} in {self:?}"), |(_, value)| value)
    }

    /// What stands in its link after `token=`.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        self.value("link").split_once("#token=").unwrap().1.to_owned()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("told to fail")]
struct Told(Kind);

impl Failure for Told {
    fn kind(&self) -> Kind {
        self.0
    }

    fn code(&self) -> &'static str {
        "TOLD_TO_FAIL"
    }
}

impl StubNotification {
    pub(crate) fn host(&self, directory: &Directory) {
        directory.host(NOTIFICATION, Routes::new(MailsServer::new(self.clone())));
    }

    /// Everything that was taken, oldest first.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.0.lock().unwrap().taken.clone()
    }

    /// From now on calls fail; `taking` the mail all the same, as when an answer is lost.
    pub(crate) fn fail(&self, kind: Kind, taking: bool) {
        self.0.lock().unwrap().failure = Some((kind, taking));
    }

    pub(crate) fn recover(&self) {
        self.0.lock().unwrap().failure = None;
    }
}

#[tonic::async_trait]
impl Mails for StubNotification {
    async fn send_mail(&self, request: Request<SendMailRequest>) -> Result<Response<SendMailReply>, Status> {
        let request = request.into_inner();
        let mut values: Vec<_> = request.values.into_iter().collect();
        values.sort();
        assert_eq!((request.tenant_id, request.from_name), Default::default());
        let mail = Taken {
            id: request.mail_id,
            recipient: request.recipient,
            template: request.template,
            locale: request.locale,
            values,
        };
        let mut state = self.0.lock().unwrap();
        let failure = state.failure;
        if failure.is_none_or(|(_, taking)| taking) {
            state.taken.push(mail);
        }
        let answer = match failure {
            Some((kind, _)) => Err(Told(kind)),
            None => Ok(SendMailReply {}),
        };
        plaza_rpc::answer(answer)
    }
}
