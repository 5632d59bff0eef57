//! From a folder to a running server: make the cluster or take the one that is there, adopt the server or start it.

use std::path::Path;

use secrecy::SecretString;

use super::account::Account;
use super::bootstrap::{Logins, bootstrap};
use super::create::{self, Made};
use super::place::{Place, Places};
use super::postmaster::Postmaster;
use super::programs::{self, Programs};
use super::traces::orphans_gone;
use super::{Durability, EmbeddedError};

/// What a cluster runs with.
pub(super) struct Ground {
    programs: Programs,
    account: Account,
    durability: Durability,
}

/// A server that answers, with everything in it that Plaza needs.
pub(super) struct Running {
    pub(super) postmaster: Postmaster,
    pub(super) password: SecretString,
    pub(super) note: Option<String>,
}

impl Ground {
    /// Makes the cluster if there is none; elsewhere if its user cannot reach the data folder.
    pub(super) async fn prepare(
        places: &mut Places,
        configured: Option<&Path>,
        durability: Durability,
    ) -> Result<Self, EmbeddedError> {
        loop {
            let data = places.of_cluster().data();
            let version = version_of(&data)?;
            let existing = version.map(|version| (data.as_path(), version));
            let programs = programs::find(configured, existing)?;
            let ground = Self {
                programs,
                account: Account::for_cluster(&data)?,
                durability,
            };
            if version.is_some() {
                return Ok(ground);
            }
            match create::create(places.of_cluster(), &ground.programs, ground.account).await? {
                Made::Complete => return Ok(ground),
                Made::Unreachable => places.move_elsewhere()?,
            }
        }
    }

    /// Adopts the server that runs, or starts one.
    pub(super) async fn run(&self, place: &Place) -> Result<Running, EmbeddedError> {
        let known = create::known_password(place)?;
        if let Some(mut found) = Postmaster::left_behind(place) {
            if found.is_stopping() {
                found.gone().await;
            } else if let Some(password) = &known
                && self
                    .settle_in(&mut found, password)
                    .await
                    .is_ok_and(|as_asked| as_asked)
            {
                let note = "PostgreSQL was still running from before and is used again".to_owned();
                return Ok(Running {
                    postmaster: found,
                    password: password.clone(),
                    note: Some(note),
                });
            } else {
                found.stop().await?;
            }
        }
        orphans_gone(&place.data()).await?;
        let password = match known {
            Some(password) => password,
            None => create::replace_password(place, &self.programs, self.account).await?,
        };
        let mut postmaster = self.spawn(place)?;
        self.settle_in(&mut postmaster, &password).await?;
        Ok(Running {
            postmaster,
            password,
            note: None,
        })
    }

    /// Starts a server. It does not answer yet.
    pub(super) fn spawn(&self, place: &Place) -> Result<Postmaster, EmbeddedError> {
        Postmaster::spawn(place, &self.programs, self.account, self.durability)
    }

    /// Waits until the server answers, and makes what Plaza needs in it. False if it runs with less durability.
    async fn settle_in(
        &self,
        postmaster: &mut Postmaster,
        password: &SecretString,
    ) -> Result<bool, EmbeddedError> {
        postmaster.ready().await?;
        let (socket, port) = (postmaster.socket(), postmaster.port());
        bootstrap(
            &Logins {
                socket,
                port,
                superuser_password: password,
            },
            self.durability,
        )
        .await
    }
}

/// The major version of an existing cluster (its file `PG_VERSION`).
fn version_of(data: &Path) -> Result<Option<u32>, EmbeddedError> {
    if !data.exists() {
        return Ok(None);
    }
    let file = data.join("PG_VERSION");
    let text = std::fs::read_to_string(&file).map_err(EmbeddedError::io("read", &file))?;
    match text.trim().parse() {
        Ok(version) => Ok(Some(version)),
        Err(error) => Err(EmbeddedError::io("understand", &file)(std::io::Error::other(
            error,
        ))),
    }
}
