//! Reading documents as they are sent: the bodies that handlers take.

use axum::extract::{FromRequest, Request};
use plaza_web::{ApiError, Json};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Branding, Document, Messaging, Namespace};

/// Namespaces with their whole documents. Those that are left out stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigurationBody {
    branding: Option<Branding>,
    messaging: Option<Messaging>,
}

impl ConfigurationBody {
    /// The documents that were sent.
    pub(super) fn into_documents(self) -> Vec<Document> {
        let branding = self.branding.map(Document::Branding);
        let messaging = self.messaging.map(Document::Messaging);
        branding.into_iter().chain(messaging).collect()
    }
}

/// A document of a namespace that the path names: which schema it has is known only then.
#[derive(Debug, ToSchema)]
#[schema(as = ConfigurationDocument)]
#[expect(dead_code, reason = "for the document of the API")]
#[serde(untagged)]
pub(crate) enum DocumentBody {
    Branding(Branding),
    Messaging(Messaging),
}

/// The document in a request's body, in the schema of its namespace.
pub(super) async fn document(namespace: Namespace, request: Request) -> Result<Document, ApiError> {
    Ok(match namespace {
        Namespace::Branding => Document::Branding(Json::from_request(request, &()).await?.0),
        Namespace::Messaging => Document::Messaging(Json::from_request(request, &()).await?.0),
    })
}
