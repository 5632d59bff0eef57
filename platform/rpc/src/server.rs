//! The callee's side of one method.

use std::error::Error;

use plaza_kernel::Failure;
use tonic::metadata::MetadataValue;
use tonic::{Response, Status};

use crate::status;

/// Turns a verb's answer into a gRPC answer: the failure keeps its kind and code, its internals stay here.
///
/// # Errors
/// The failure, as a status whose metadata carries kind and code.
pub fn answer<T, E: Failure>(result: Result<T, E>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|failure| refuse(&failure))
}

fn refuse(failure: &impl Failure) -> Status {
    let (kind, code) = (failure.kind(), failure.code());
    if kind.is_our_fault() {
        // The one place that still knows the cause: what travels on is the public text.
        tracing::error!(error = failure as &dyn Error, code, "call failed");
    }
    let mut status = status::status(kind, code, failure.public_text());
    status::add_fields(&mut status, &failure.fields());
    if let Some(seconds) = failure.retry_after() {
        status
            .metadata_mut()
            .insert(status::RETRY_AFTER, MetadataValue::from(seconds));
    }
    status
}
