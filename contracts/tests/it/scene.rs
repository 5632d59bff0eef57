//! What every test of calls needs: keys, directories that act in somebody's name, a listener.

use plaza_contracts::callers::may_call;
use plaza_contracts::proto::DESCRIPTORS;
use plaza_contracts::proto::tenancy::ResolveRequest;
use plaza_contracts::proto::tenancy::tenancy_client::TenancyClient;
use plaza_contracts::services::TENANCY;
use plaza_kernel::{Clock, ServiceName};
use plaza_rpc::{Directory, InternalKeys, Reflection, RpcError, RpcListener, RpcSettings, Transport};

pub(crate) const REFLECTION: Reflection = Reflection {
    descriptors: DESCRIPTORS,
    without_token: false,
};

pub(crate) fn keys() -> InternalKeys {
    InternalKeys::derived(&"the key of an installation of tests".into())
}

/// A process of an installation with these keys.
pub(crate) fn directory(settings: RpcSettings, keys: &InternalKeys) -> Directory {
    Directory::new(settings)
        .with_callers(may_call)
        .with_keys(keys.clone(), Clock::system())
}

pub(crate) fn listener(directory: &Directory) -> RpcListener {
    directory.service_for_listener(&[TENANCY], REFLECTION).unwrap()
}

/// Tenancy's client in a service's name.
pub(crate) fn client(directory: &Directory, service: ServiceName) -> TenancyClient<Transport> {
    TenancyClient::new(directory.acting_as(service).transport(TENANCY))
}

pub(crate) async fn resolve(client: &TenancyClient<Transport>, slug: &str) -> Result<String, RpcError> {
    let request = ResolveRequest {
        slug: slug.to_owned(),
    };
    Ok(client.clone().resolve(request).await?.into_inner().name)
}
