//! The side of the proxy that clients meet: listening, refusing, accepting.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

use super::carry::carry;
use super::{Mode, Seen, Server};
use crate::ports;

/// The port is outside what is given to outgoing connections, so nobody takes it while the proxy refuses.
const LISTENS_AGAIN_WITHIN: Duration = Duration::from_secs(10);

/// The side of the proxy that clients meet.
pub(super) struct Front {
    pub(super) address: SocketAddr,
    pub(super) server: Server,
    pub(super) modes: watch::Receiver<Mode>,
    pub(super) in_force: watch::Sender<Mode>,
    pub(super) seen: Arc<Seen>,
}

impl Front {
    pub(super) async fn run(mut self, listener: TcpListener) -> io::Result<()> {
        let mut listener = Some(listener);
        loop {
            let mode = *self.modes.borrow_and_update();
            match (mode, &listener) {
                (Mode::Refuse, _) => listener = None,
                (_, None) => listener = Some(listen_again(self.address).await?),
                (_, Some(_)) => {}
            }
            self.in_force.send_replace(mode);
            tokio::select! {
                changed = self.modes.changed() => if changed.is_err() { return Ok(()) },
                accepted = accept(listener.as_ref()) => if let Ok(client) = accepted { self.serve(client, mode) },
            }
        }
    }

    fn serve(&self, mut client: TcpStream, mode: Mode) {
        self.seen.accepted.fetch_add(1, Ordering::SeqCst);
        if mode == Mode::ResetAtAccept {
            // Closing it with this set sends a reset: socket(7), SO_LINGER.
            let _ = client.set_zero_linger();
            return;
        }
        let (server, modes, seen) = (self.server.clone(), self.modes.clone(), Arc::clone(&self.seen));
        seen.open.fetch_add(1, Ordering::SeqCst);
        #[expect(
            clippy::disallowed_methods,
            reason = "ends with the proxy: its modes end then"
        )]
        tokio::spawn(async move {
            let ended = match server {
                Server::Tcp(address) => carry(&mut client, connect(address).await, modes, &seen).await,
                Server::Unix(path) => carry(&mut client, UnixStream::connect(path).await, modes, &seen).await,
            };
            if ended.is_err() {
                let _ = client.set_zero_linger();
            }
            drop(client);
            seen.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(client, _)| client),
        None => std::future::pending().await,
    }
}

/// On a port of its own.
pub(super) async fn listen_anywhere() -> io::Result<TcpListener> {
    let began = Instant::now();
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, ports::free(&[])?)).await {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && began.elapsed() < LISTENS_AGAIN_WITHIN => {}
            bound => return bound,
        }
    }
}

async fn listen_again(address: SocketAddr) -> io::Result<TcpListener> {
    let began = Instant::now();
    loop {
        match TcpListener::bind(address).await {
            Err(_) if began.elapsed() < LISTENS_AGAIN_WITHIN => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            bound => return bound,
        }
    }
}
