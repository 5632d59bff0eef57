//! Calls that arrive at a listener without the proof of who makes them.

use std::sync::atomic::Ordering;

use plaza_contracts::callers::may_call;
use plaza_contracts::proto::tenancy::ResolveRequest;
use plaza_contracts::proto::tenancy::tenancy_client::TenancyClient;
use plaza_contracts::services::{ACCESS, GATEWAY, NOTIFICATION, TENANCY};
use plaza_kernel::{Clock, Failure, Kind};
use plaza_rpc::{Directory, InternalKeys, ListenerError, RpcError, RpcListener, RpcSettings};
use tonic::metadata::AsciiMetadataValue;
use tonic::{Code, Request, Status};

use crate::loopback::{Loopback, at};
use crate::scene::{REFLECTION, client, directory, keys, listener, resolve};
use crate::stub_tenancy::StubTenancy;

const TOKEN: &str = "x-plaza-internal-token";

/// Calls with these tokens, straight at the listener.
async fn ask(listener: &RpcListener, tokens: &[&str]) -> Result<String, Status> {
    let mut request = Request::new(ResolveRequest {
        slug: "peer".to_owned(),
    });
    for token in tokens {
        let token: AsciiMetadataValue = token.parse().unwrap();
        request.metadata_mut().append(TOKEN, token);
    }
    let mut client = TenancyClient::new(listener.clone());
    Ok(client.resolve(request).await?.into_inner().name)
}

fn token(
    keys: &InternalKeys,
    issuer: plaza_kernel::ServiceName,
    audience: plaza_kernel::ServiceName,
) -> String {
    let token = keys
        .signer(issuer, Clock::system())
        .unwrap()
        .token(audience, None, None);
    token.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn nobody_gets_in_without_a_token_for_this_service() {
    let (stub, keys) = (StubTenancy::default(), keys());
    let here = directory(RpcSettings::default(), &keys);
    here.host(TENANCY, stub.routes());
    let listener = listener(&here);
    let good = token(&keys, GATEWAY, TENANCY);
    assert_eq!(ask(&listener, &[&good]).await.unwrap(), "gateway for nobody");
    stub.begun.store(0, Ordering::SeqCst);

    let other = InternalKeys::derived(&"the key of another installation".into());
    let bad = [
        vec![],
        vec![String::new()],
        vec!["rubbish".to_owned()],
        vec![token(&keys, GATEWAY, ACCESS)],
        vec![token(&other, GATEWAY, TENANCY)],
        vec![good.clone(), good.clone()],
        vec![format!("Bearer {good}")],
        vec![good[..good.len() - 1].to_owned()],
    ];
    for tokens in bad {
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let status = ask(&listener, &tokens).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{tokens:?}");
        assert_eq!(
            status.message(),
            "the calling service is not known",
            "the reason stays here"
        );
        // To whom we work for it is no matter of their own login.
        let error = RpcError::from(status);
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Unavailable, "SERVICE_UNAVAILABLE")
        );
    }
    let uninvited = ask(&listener, &[&token(&keys, NOTIFICATION, TENANCY)])
        .await
        .unwrap_err();
    assert_eq!(uninvited.code(), Code::PermissionDenied);
    assert_eq!(
        stub.begun.load(Ordering::SeqCst),
        0,
        "the callee never heard of it"
    );
}

#[tokio::test]
async fn who_acts_in_nobodys_name_calls_nobody() {
    let keys = keys();
    let here = directory(RpcSettings::default(), &keys);
    here.host(TENANCY, StubTenancy::default().routes());
    let served = Loopback::serve(listener(&here)).await;
    let elsewhere = directory(RpcSettings::default(), &keys);
    elsewhere.locate(TENANCY, at(&[served.address]));
    // Whoever has no key has a name, and nothing to prove it with.
    let keyless = Directory::new(RpcSettings::default()).acting_as(GATEWAY);
    keyless.locate(TENANCY, at(&[served.address]));
    for directory in [here, elsewhere, keyless] {
        let mut client = TenancyClient::new(directory.transport(TENANCY));
        // Nor with a token that it came by.
        let mut request = Request::new(ResolveRequest::default());
        let found = token(&keys, GATEWAY, TENANCY).parse().unwrap();
        request.metadata_mut().insert(TOKEN, found);
        let status = client.resolve(request).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
    }
}

#[tokio::test]
async fn without_keys_or_a_table_nothing_is_served() {
    let keyless = Directory::new(RpcSettings::default()).with_callers(may_call);
    let refused = keyless.service_for_listener(&[TENANCY], REFLECTION).unwrap_err();
    assert!(matches!(refused, ListenerError::NoKeys));
    let open = Directory::new(RpcSettings::default()).with_keys(keys(), Clock::system());
    let refused = open.service_for_listener(&[TENANCY], REFLECTION).unwrap_err();
    assert!(matches!(refused, ListenerError::NoCallers));
}

#[tokio::test]
async fn a_service_that_is_not_served_here_is_unavailable() {
    let keys = keys();
    let here = directory(RpcSettings::default(), &keys);
    here.host(TENANCY, StubTenancy::default().routes());
    // Hosted, but not for this listener.
    let served = here.service_for_listener(&[ACCESS], REFLECTION).unwrap();
    let served = Loopback::serve(served).await;
    let elsewhere = directory(RpcSettings::default(), &keys);
    elsewhere.locate(TENANCY, at(&[served.address]));
    let error = resolve(&client(&elsewhere, GATEWAY), "acme").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (Kind::Unavailable, "SERVICE_UNAVAILABLE")
    );
}
