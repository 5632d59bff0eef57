//! Carrying one connection's bytes as the mode of the moment says.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::{Mode, Seen};

/// Chunks under way in one direction: bounds memory, and is far more than a protocol of requests has in flight.
const UNDER_WAY: usize = 256;

/// One byte takes this long in [`Mode::Trickle`].
const PER_BYTE: Duration = Duration::from_secs(1);

/// What the mode means for one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Pass,
    Hold,
    Delay(Duration),
    ResetAfter(u64),
    Trickle,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

fn flow(mode: Mode, direction: Direction) -> Flow {
    match (mode, direction) {
        (Mode::BlackHole, _) | (Mode::LoseReplies, Direction::ToClient) => Flow::Hold,
        (Mode::Delay(time), _) => Flow::Delay(time),
        (Mode::ResetReplyAfter(bytes), Direction::ToClient) => Flow::ResetAfter(bytes),
        (Mode::Trickle, _) => Flow::Trickle,
        // Refused and reset connections are ended where both directions meet.
        (Mode::Pass | Mode::Refuse | Mode::ResetAtAccept, _)
        | (Mode::LoseReplies | Mode::ResetReplyAfter(_), Direction::ToServer) => Flow::Pass,
    }
}

/// Carries until both sides have closed. An error means that the client is to see a reset.
pub(super) async fn carry<S>(
    client: &mut TcpStream,
    server: io::Result<S>,
    modes: watch::Receiver<Mode>,
    seen: &Seen,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite,
{
    let (server_reads, server_writes) = tokio::io::split(server?);
    client.set_nodelay(true)?;
    let (client_reads, client_writes) = client.split();
    let up = direct(
        client_reads,
        server_writes,
        Direction::ToServer,
        modes.clone(),
        &seen.to_server,
    );
    let down = direct(
        server_reads,
        client_writes,
        Direction::ToClient,
        modes.clone(),
        &seen.to_clients,
    );
    tokio::select! {
        ended = async { tokio::try_join!(up, down) } => ended.map(drop),
        reset = wait_for_reset(modes) => reset,
    }
}

async fn wait_for_reset(mut modes: watch::Receiver<Mode>) -> io::Result<()> {
    let resets = |mode: &Mode| matches!(mode, Mode::Refuse | Mode::ResetAtAccept);
    // It ends with the proxy too.
    let _ = modes.wait_for(resets).await;
    Err(io::ErrorKind::ConnectionReset.into())
}

/// Reads and writes at the same time, so that a delay delays everything once and not chunk after chunk.
async fn direct(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    direction: Direction,
    modes: watch::Receiver<Mode>,
    passed: &AtomicU64,
) -> io::Result<()> {
    let (arrived, mut arrivals) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let reading = async move {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let read = from.read(&mut buffer).await?;
            // The empty chunk is the end, which travels like everything before it.
            let chunk = (Instant::now(), buffer[..read].to_vec());
            if arrived.send(chunk).await.is_err() || read == 0 {
                return Ok(());
            }
        }
    };
    let writing = async move {
        let mut gate = Gate {
            modes,
            direction,
            let_through: 0,
            passed,
        };
        while let Some((at, chunk)) = arrivals.recv().await {
            if chunk.is_empty() {
                gate.end(at).await?;
                return to.shutdown().await;
            }
            gate.pass(&mut to, at, &chunk).await?;
        }
        Ok::<(), io::Error>(())
    };
    tokio::try_join!(reading, writing).map(drop)
}

struct Gate<'a> {
    modes: watch::Receiver<Mode>,
    direction: Direction,
    /// Bytes since the mode was set.
    let_through: u64,
    passed: &'a AtomicU64,
}

impl Gate<'_> {
    async fn pass(
        &mut self,
        to: &mut (impl AsyncWrite + Unpin),
        arrived: Instant,
        chunk: &[u8],
    ) -> io::Result<()> {
        let mut rest = chunk;
        while !rest.is_empty() {
            let now = match self.flow() {
                Flow::Hold => {
                    self.changed().await?;
                    0
                }
                Flow::Delay(time) if Instant::now() < arrived + time => {
                    self.until(arrived + time).await?;
                    0
                }
                Flow::ResetAfter(bytes) => rest.len().min(clamped(bytes - self.let_through.min(bytes))),
                Flow::Trickle => 1,
                Flow::Pass | Flow::Delay(_) => rest.len(),
            };
            to.write_all(&rest[..now]).await?;
            to.flush().await?;
            self.passed.fetch_add(now as u64, Ordering::SeqCst);
            self.let_through += now as u64;
            rest = &rest[now..];
            match self.flow() {
                Flow::ResetAfter(bytes) if self.let_through >= bytes => {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                Flow::Trickle if now > 0 => self.until(Instant::now() + PER_BYTE).await?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The end of the stream passes as a byte would.
    async fn end(&mut self, arrived: Instant) -> io::Result<()> {
        loop {
            match self.flow() {
                Flow::Hold => self.changed().await?,
                Flow::Delay(time) if Instant::now() < arrived + time => self.until(arrived + time).await?,
                _ => return Ok(()),
            }
        }
    }

    fn flow(&mut self) -> Flow {
        if self.modes.has_changed().unwrap_or(false) {
            self.let_through = 0;
        }
        flow(*self.modes.borrow_and_update(), self.direction)
    }

    async fn changed(&mut self) -> io::Result<()> {
        let changed = self.modes.changed().await;
        self.let_through = 0;
        changed.map_err(|_| io::ErrorKind::ConnectionReset.into())
    }

    /// Until then, or until the mode changes.
    async fn until(&mut self, then: Instant) -> io::Result<()> {
        tokio::select! {
            () = tokio::time::sleep_until(then) => Ok(()),
            changed = self.changed() => changed,
        }
    }
}

fn clamped(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
