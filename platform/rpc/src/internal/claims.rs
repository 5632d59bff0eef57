//! What an internal token says.

use plaza_kernel::{Caller, ServiceName, SystemRole, TenantId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{LEEWAY, LIFE};

/// How the scope of the platform is written: said aloud, so that something missing can never mean it.
const PLATFORM: &str = "platform";

/// What a verified internal token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalClaims {
    /// The service that signed it.
    pub iss: ServiceName,
    /// The one service it is for.
    pub aud: ServiceName,
    /// Whom the issuer works for.
    pub caller: Option<Caller>,
    /// The tenant that the host of the request from outside named, and its name there.
    pub host: Option<(TenantId, String)>,
    /// Signed at: seconds since the Unix epoch.
    pub iat: i64,
    /// Good until: seconds since the Unix epoch.
    pub exp: i64,
    /// The token's own id.
    pub jti: Uuid,
}

impl InternalClaims {
    /// Whether the caller and host in it may be believed on an HTTP request from outside: only the front door has seen
    /// the person's own token. Services pass people on over gRPC alone.
    pub fn may_speak_for_people(&self, front_door: ServiceName) -> bool {
        self.iss == front_door
    }
}

/// The claims as they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) iss: String,
    pub(super) aud: String,
    pub(super) iat: i64,
    pub(super) exp: i64,
    pub(super) jti: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) caller: Option<WrittenCaller>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<WrittenHost>,
}

/// A person, every part of whom has to be there.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenCaller {
    /// A tenant's id, or `platform`.
    scope: String,
    subject: String,
    session: String,
    role: SystemRole,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenHost {
    tenant: String,
    slug: String,
}

impl WrittenCaller {
    pub(super) fn of(caller: &Caller) -> Self {
        Self {
            scope: caller
                .scope
                .map_or_else(|| PLATFORM.to_owned(), |tenant| tenant.to_string()),
            subject: caller.subject.to_string(),
            session: caller.session.to_string(),
            role: caller.role,
        }
    }

    /// None when a part is not spelled as we spell it, or role and scope do not go together: a platform administrator
    /// has no tenant, everybody else has one.
    fn read(&self) -> Option<Caller> {
        let scope = match self.scope.as_str() {
            PLATFORM => None,
            tenant => Some(TenantId::try_from(uuid(tenant)?).ok()?),
        };
        let fits = (self.role == SystemRole::PlatformAdmin) == scope.is_none();
        fits.then_some(Caller {
            scope,
            subject: uuid(&self.subject)?.into(),
            session: uuid(&self.session)?.into(),
            role: self.role,
        })
    }
}

impl WrittenHost {
    pub(super) fn of((tenant, slug): (TenantId, &str)) -> Self {
        Self {
            tenant: tenant.to_string(),
            slug: slug.to_owned(),
        }
    }

    fn read(self) -> Option<(TenantId, String)> {
        let tenant = TenantId::try_from(uuid(&self.tenant)?).ok()?;
        (!self.slug.is_empty()).then_some((tenant, self.slug))
    }
}

/// Why claims that were signed are not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    Claims,
    Issuer,
    Audience,
    Time,
}

impl Written {
    /// The claims, if they hold for this audience at this time. The issuer is the service whose key the signature fits.
    pub(super) fn judge(
        self,
        issuer: ServiceName,
        audience: ServiceName,
        now: i64,
    ) -> Result<InternalClaims, Wrong> {
        if self.iss != issuer.as_str() {
            return Err(Wrong::Issuer);
        }
        if self.aud != audience.as_str() {
            return Err(Wrong::Audience);
        }
        let life = self.exp.saturating_sub(self.iat);
        let is_now = now < self.exp && self.iat <= now.saturating_add(LEEWAY);
        if !is_now || !(1..=LIFE).contains(&life) {
            return Err(Wrong::Time);
        }
        let caller = self.caller.map(|caller| caller.read().ok_or(Wrong::Claims));
        let host = self.host.map(|host| host.read().ok_or(Wrong::Claims));
        let (caller, host) = (caller.transpose()?, host.transpose()?);
        if let (Some(caller), Some((tenant, _))) = (&caller, &host)
            && caller.scope != Some(*tenant)
        {
            return Err(Wrong::Claims);
        }
        Ok(InternalClaims {
            iss: issuer,
            aud: audience,
            caller,
            host,
            iat: self.iat,
            exp: self.exp,
            jti: uuid(&self.jti).ok_or(Wrong::Claims)?,
        })
    }
}

/// A UUID has many spellings and only one is ours; nil is none.
fn uuid(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    let mut spelled = [0; uuid::fmt::Hyphenated::LENGTH];
    let is_ours = !uuid.is_nil() && uuid.hyphenated().encode_lower(&mut spelled) == text;
    is_ours.then_some(uuid)
}
