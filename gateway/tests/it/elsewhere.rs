//! A gateway on a listener, before services on listeners: everything over sockets.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use plaza_contracts::edge::HostTenant;
use plaza_contracts::services::{GATEWAY, IDENTITY, NOTIFICATION, TENANCY};
use plaza_gateway::{GatewaySettings, INTERNAL_REFUSED, RemoteSettings, Upstream, Upstreams};
use plaza_kernel::{Clock, ServiceName};
use plaza_rpc::{Addresses, HealthSettings, INTERNAL_TOKEN, InternalKeys};
use plaza_web::server::{ServerSettings, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::house::House;
use crate::rough::uri_of;

pub(crate) fn keys() -> InternalKeys {
    InternalKeys::derived(&"a key of the installation, only for tests".into())
}

/// Quick to lose patience; the rest as usual.
pub(crate) fn impatient() -> GatewaySettings {
    settings(RemoteSettings {
        connect_milliseconds: 500,
        deadline_seconds: 1,
        stream_idle_seconds: 1,
        ..RemoteSettings::default()
    })
}

pub(crate) fn settings(remote: RemoteSettings) -> GatewaySettings {
    GatewaySettings {
        remote,
        ..GatewaySettings::default()
    }
}

/// The way to all services, which are all at the same addresses.
pub(crate) fn remotes(
    clock: &Clock,
    uris: &[Uri],
    remote: RemoteSettings,
    health: HealthSettings,
    watch: Option<(&TaskTracker, &CancellationToken)>,
) -> Upstreams {
    let signer = keys().signer(GATEWAY, clock.clone()).unwrap();
    let services = [IDENTITY, TENANCY, NOTIFICATION];
    services.into_iter().fold(Upstreams::new(), |upstreams, service| {
        let addresses = Addresses::new(service, uris.to_vec(), health).unwrap();
        if let Some((tasks, stop)) = watch {
            addresses.start(tasks, stop.clone());
        }
        upstreams.with(service, Upstream::remote(addresses, signer.clone(), remote))
    })
}

impl House {
    /// A gateway before services at these addresses, whose health is only known from calls.
    pub(crate) fn before_addresses(settings: GatewaySettings, uris: &[Uri]) -> Self {
        let remote = settings.remote;
        let health = HealthSettings::default();
        Self::before(settings, |clock| remotes(clock, uris, remote, health, None)).unwrap()
    }
}

/// A listener of the platform's own kind.
pub(crate) struct Served {
    pub(crate) uri: Uri,
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Served {
    pub(crate) async fn start(router: axum::Router, clock: &Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (uri, address) = (uri_of(&listener), listener.local_addr().unwrap());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (stopped, connections, clock) = (stop.clone(), tasks.clone(), clock.clone());
        tasks.spawn(async move {
            serve(
                listener,
                router,
                ServerSettings::default(),
                clock,
                stopped,
                &connections,
            )
            .await;
        });
        Self {
            uri,
            address,
            stop,
            tasks,
        }
    }

    /// The house's gateway on a listener, told to stop together with it.
    pub(crate) async fn gateway(house: &House) -> Self {
        let served = Self::start(house.gateway.router(), &house.clock).await;
        house.gateway.start(&served.tasks, served.stop.clone());
        served
    }

    /// Ends in order.
    pub(crate) async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Writes these bytes and reads until the end, or the end of the connection in another way. Panics after a while.
    pub(crate) async fn exchange(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        read_all(&mut stream).await
    }

    /// GET on a connection of its own.
    pub(crate) async fn get(&self, target: &str) -> String {
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        self.exchange(&head).await
    }
}

pub(crate) async fn read_all(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let reading = stream.read_to_end(&mut all);
    // However it ends: a reset is one way to say that an answer is not whole.
    let _ = tokio::time::timeout(Duration::from_secs(30), reading)
        .await
        .unwrap();
    String::from_utf8_lossy(&all).into_owned()
}

/// Lets nobody through without a good token of the gateway, and puts into the extensions what it says.
pub(crate) fn trusting(router: axum::Router, service: ServiceName, clock: &Clock) -> axum::Router {
    let verifier = keys().verifier(service, clock.clone());
    router.layer(from_fn(move |request: Request, next: Next| {
        let verifier = verifier.clone();
        async move {
            match believed(&verifier, request) {
                Some(request) => next.run(request).await,
                None => (StatusCode::UNAUTHORIZED, [(INTERNAL_REFUSED, "token")]).into_response(),
            }
        }
    }))
}

fn believed(verifier: &plaza_rpc::Verifier, mut request: Request) -> Option<Request> {
    let token = request.headers().get(INTERNAL_TOKEN)?.to_str().ok()?;
    let claims = verifier
        .verify(token)
        .ok()
        .filter(|claims| claims.iss == GATEWAY)?;
    if let Some(caller) = &claims.caller {
        request.extensions_mut().insert(caller.clone());
    }
    if let Some((tenant_id, slug)) = claims.host.clone() {
        request.extensions_mut().insert(HostTenant { tenant_id, slug });
    }
    Some(request)
}

/// The body of a raw answer.
pub(crate) fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// The status of a raw answer.
pub(crate) fn status_of(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

/// Whatever a test does not care about.
pub(crate) fn ok(text: &'static str) -> axum::Router {
    axum::Router::new().fallback(move || async move { Response::new(axum::body::Body::from(text)) })
}
