//! One callee over both transports.

use std::time::Duration;

use plaza_contracts::proto::tenancy::tenancy_client::TenancyClient;
use plaza_contracts::services::{GATEWAY, IDENTITY, NOTIFICATION, TENANCY};
use plaza_rpc::{Directory, RpcSettings, Transport};

use crate::loopback::{Loopback, at};
use crate::scene::{client, directory, keys, listener};
use crate::stub_tenancy::StubTenancy;

pub(crate) const SETTINGS: RpcSettings = RpcSettings {
    deadline: Duration::from_secs(1),
    message: 4 << 20,
};

/// Tenancy in process and behind a socket.
pub(crate) struct Both {
    pub(crate) ways: [(&'static str, TenancyClient<Transport>); 2],
    /// The same ways, in the name of a service that nobody reckons with.
    pub(crate) uninvited: [(&'static str, TenancyClient<Transport>); 2],
    pub(crate) stub: StubTenancy,
    _listener: Loopback,
}

/// The gateway asks tenancy, which, when told so, asks tenancy on in identity's name, the same way.
pub(crate) async fn both() -> Both {
    let (stub, keys) = (StubTenancy::default(), keys());
    let here = directory(SETTINGS, &keys);
    // Taken before the service is hosted: services know each other in circles.
    let in_process = client(&here, GATEWAY);
    host(&here, &stub, client(&here, IDENTITY));

    let there = directory(SETTINGS, &keys);
    let listener = Loopback::serve(listener(&there)).await;
    let elsewhere = directory(SETTINGS, &keys);
    elsewhere.locate(TENANCY, at(&[listener.address]));
    host(&there, &stub, client(&elsewhere, IDENTITY));
    let both = |service| {
        [
            ("in process", client(&here, service)),
            ("over a socket", client(&elsewhere, service)),
        ]
    };
    let mut ways = both(GATEWAY);
    ways[0].1 = in_process;
    Both {
        ways,
        uninvited: both(NOTIFICATION),
        stub,
        _listener: listener,
    }
}

/// Hosts a stub of its own that counts together with the others.
fn host(directory: &Directory, stub: &StubTenancy, next: TenancyClient<Transport>) {
    let stub = StubTenancy {
        next: std::sync::Arc::new(next.into()),
        ..stub.clone()
    };
    directory.host(TENANCY, stub.routes());
}
