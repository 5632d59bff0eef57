//! Identity: who people are and whether they are let in.
//!
//! Owns       schema `identity`: users, credentials, platform administrators, memberships, sessions, refresh tokens,
//!            one-time links, proofs of addresses, due mails, known clients, signing keys
//! Offers     HTTP `/api/v1/auth`, `/setup`, `/reset`, `/.well-known/jwks.json`; gRPC `plaza.identity.v1`
//!            (`Identity`, `Members`, `Accounts`, `Sessions`, `Audit`)
//! Publishes  `user.registered`, `identity.owner.provisioned`, `identity.member.{role_changed,removed}`
//! Consumes   `tenant.created` (the owner's account), `tenancy.tenant.deleted` (memberships and sessions end)
//! Needs      `tenancy` (which tenant a slug names, whether it may be entered), `access` (what a person may do for whom
//!            another service calls), `notification` (sends its mails)
//!
//! Read `sessions/login.rs` first, then `sessions/refresh.rs`, `setup.rs` and `recovery.rs`.

mod audit;
mod config;
mod consumers;
mod housekeeping;
mod keys;
mod mails;
mod opaque;
mod origin;
mod pages;
mod passwords;
mod recovery;
mod routes;
mod rpc;
mod scoped;
mod sessions;
mod setup;
mod tenants;
mod throttling;
mod users;

use std::sync::Arc;

use chrono::TimeDelta;
use plaza_contracts::access::Permissions;
use plaza_contracts::services;
use plaza_crypto::KeyRing;
use plaza_database::{Database, Schema, migrations};
use plaza_kernel::{Clock, Failure, Kind};
use plaza_messaging::{Subscriptions, supervised};
use plaza_rpc::Directory;
use plaza_schedule::Schedules;
use plaza_throttle::Throttle;
use plaza_vault::Vault;
use plaza_web::{PermissionSource, ServiceApi};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use config::{
    EmailVerification, IdentityConfig, InvalidRate, PasswordConfig, Rate, Registration, ThrottleConfig,
};
pub use keys::KeysError;
pub use passwords::PasswordError;
pub use recovery::{AskError, ResetError, VerifyError};
pub use sessions::{
    ChangePasswordError, EndSessionsError, LoginError, Me, MeError, RefreshError, UpdateMeError,
};
pub use setup::{OwnerLinkError, SetUp, SetupError};
pub use users::{
    AddError, InviteError, Member, MemberError, Overreach, RegisterError, RemoveMemberError,
    UpdateMemberError,
};

use crate::keys::Keys;
use crate::mails::Post;
use crate::passwords::Passwords;
use crate::tenants::Tenants;
use crate::throttling::Throttling;

/// The schema of identity.
pub fn schema() -> Schema {
    Schema::new(
        services::IDENTITY,
        migrations![
            "V20261120100000__accounts",
            "V20261120100100__sessions",
            "V20261120100200__setup_and_keys",
            "V20261121022005__sessions_revoked_by_others",
            "V20261122100000__recovery",
            "V20261122160000__sealed_values",
        ],
    )
    .with(plaza_audit::migrations())
    .with(plaza_messaging::migrations())
    .with(plaza_once::migrations())
    .with(plaza_schedule::migrations())
    .with(plaza_throttle::migrations())
    .with(plaza_vault::migrations())
}

/// Identity is not ready to serve.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The keys cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The password settings cannot be used.
    #[error(transparent)]
    Passwords(#[from] PasswordError),
}

impl Failure for PrepareError {
    fn kind(&self) -> Kind {
        match self {
            Self::Keys(error) => error.kind(),
            Self::Passwords(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Keys(error) => error.code(),
            Self::Passwords(error) => error.code(),
        }
    }
}

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<Parts>);

struct Parts {
    config: IdentityConfig,
    database: Database,
    tenants: Tenants,
    permissions: Permissions,
    clock: Clock,
    keys: Keys,
    passwords: Passwords,
    throttling: Throttling,
    post: Post,
}

impl Identity {
    /// Puts the service together; nothing is asked of anybody yet.
    pub fn new(
        config: IdentityConfig,
        database: Database,
        directory: &Directory,
        clock: Clock,
        keyring: KeyRing,
    ) -> Self {
        let keys = Keys::new(
            database.clone(),
            Vault::new(database.clone(), keyring, clock.clone()),
            clock.clone(),
            TimeDelta::days(config.signing_key_days.into()),
            TimeDelta::seconds(config.access_token_seconds.into()),
        );
        let tenants = Tenants::new(directory.transport(services::TENANCY));
        let permissions = Permissions::new(directory.transport(services::ACCESS), clock.clone());
        let passwords = Passwords::new(config.password.clone());
        let throttle = Throttle::new(database.clone(), clock.clone());
        let throttling = Throttling::new(throttle, config.throttle.clone());
        let post = Post::new(directory.transport(services::NOTIFICATION));
        Self(Arc::new(Parts {
            config,
            database,
            tenants,
            permissions,
            clock,
            keys,
            passwords,
            throttling,
            post,
        }))
    }

    /// Makes or opens the keys and checks the settings: to be called once at the start, before anything is served.
    ///
    /// # Errors
    /// When the database is away, the key ring does not open the keys, or the password settings cannot be used.
    pub async fn prepare(&self) -> Result<(), PrepareError> {
        self.passwords().check_settings()?;
        self.keys().renew().await?;
        Ok(())
    }

    /// Its routes.
    pub fn http(&self, permissions: Arc<dyn PermissionSource>) -> ServiceApi {
        routes::api(self.clone(), permissions)
    }

    /// Its gRPC API.
    pub fn grpc(&self) -> tonic::service::Routes {
        rpc::routes(self.clone())
    }

    /// The events it reacts to.
    pub fn subscriptions(&self) -> Subscriptions {
        let clock = self.clock();
        Subscriptions::new()
            .with(consumers::ProvisionOwner { clock: clock.clone() })
            .with(consumers::EndTenant {
                tenants: self.tenants().clone(),
                clock: clock.clone(),
            })
    }

    /// What it does by the calendar: removing what has expired.
    pub fn schedules(&self) -> Schedules {
        housekeeping::schedules(self)
    }

    /// The background work of every process: looking after the signing key, and working off due mails.
    pub fn start(&self, tasks: &TaskTracker, stop: CancellationToken) {
        let (this, stopped) = (self.clone(), stop.clone());
        let mails = move || this.clone().work_off_mails(stopped.clone());
        tasks.spawn(supervised(services::IDENTITY, "mails", stop.clone(), mails));
        tasks.spawn(self.clone().keep_keys(stop));
    }

    fn config(&self) -> &IdentityConfig {
        &self.0.config
    }

    fn database(&self) -> &Database {
        &self.0.database
    }

    fn tenants(&self) -> &Tenants {
        &self.0.tenants
    }

    fn permissions(&self) -> &Permissions {
        &self.0.permissions
    }

    fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn keys(&self) -> &Keys {
        &self.0.keys
    }

    fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    fn throttling(&self) -> &Throttling {
        &self.0.throttling
    }

    fn post(&self) -> &Post {
        &self.0.post
    }
}
