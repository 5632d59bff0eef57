//! The addresses of one service: which are healthy, and which has the least to do.

mod probe;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use plaza_kernel::ServiceName;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// When an address counts as healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthSettings {
    /// How often each address is asked whether it is ready.
    pub interval: Duration,
    /// How long the answer may take.
    pub timeout: Duration,
    /// After so many failed calls in a row …
    pub failures: u32,
    /// … an address is left out for so long.
    pub ejected_for: Duration,
}

impl Default for HealthSettings {
    /// Asked every 500 ms, within 1 s; left out for 2 s after 2 failures.
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(500),
            timeout: Duration::from_secs(1),
            failures: 2,
            ejected_for: Duration::from_secs(2),
        }
    }
}

/// The configured addresses cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is none.
    #[error("{0} has no address")]
    None(ServiceName),
    /// Not `http://host:port`.
    #[error("`{1}` is not an address of {0}: write http://host:port")]
    Form(ServiceName, Uri),
    /// Named twice.
    #[error("`{1}` is an address of {0} twice")]
    Twice(ServiceName, Uri),
}

/// The addresses of one service. Clones share load and health.
#[derive(Clone)]
pub struct Addresses(Arc<Shared>);

struct Shared {
    service: ServiceName,
    settings: HealthSettings,
    places: Box<[Place]>,
    /// Where the next look begins, so that equals take turns.
    turn: AtomicUsize,
    begun: Instant,
}

struct Place {
    uri: Uri,
    in_flight: AtomicUsize,
    /// In a row.
    failures: AtomicU32,
    /// Milliseconds after `begun` until which it is left out.
    ejected_until: AtomicU64,
    /// The last time it was asked it was not ready.
    down: AtomicBool,
}

impl Addresses {
    /// The addresses of a service: `http://host:port`.
    ///
    /// # Errors
    /// When there is none, or one is none.
    pub fn new(service: ServiceName, urls: Vec<Uri>, settings: HealthSettings) -> Result<Self, AddressError> {
        if urls.is_empty() {
            return Err(AddressError::None(service));
        }
        let mut seen = HashSet::new();
        for uri in &urls {
            let is_plain = matches!(uri.path_and_query().map(|path| path.as_str()), None | Some("/"));
            if uri.scheme() != Some(&Scheme::HTTP) || uri.port_u16().is_none() || !is_plain {
                return Err(AddressError::Form(service, uri.clone()));
            }
            if !seen.insert(uri.authority()) {
                return Err(AddressError::Twice(service, uri.clone()));
            }
        }
        Ok(Self(Arc::new(Shared {
            service,
            settings,
            places: urls.into_iter().map(Place::new).collect(),
            turn: AtomicUsize::new(0),
            begun: Instant::now(),
        })))
    }

    /// The one with the least to do: of the healthy; if none is healthy, of all. None when `except` names every one.
    pub fn choose(&self, except: &[usize]) -> Option<Chosen> {
        let shared = &self.0;
        let count = shared.places.len();
        let from = shared.turn.fetch_add(1, Ordering::Relaxed);
        let now = shared.now();
        let least = (0..count)
            .map(|step| (from.wrapping_add(step)) % count)
            .filter(|index| !except.contains(index))
            .min_by_key(|index| {
                let place = &shared.places[*index];
                (!place.is_healthy(now), place.in_flight.load(Ordering::Relaxed))
            })?;
        shared.places[least].in_flight.fetch_add(1, Ordering::Relaxed);
        Some(Chosen {
            shared: Arc::clone(shared),
            index: least,
        })
    }

    /// Asks each address at `/readyz`, over and over, until told to stop. An address that answers anything but success, or
    /// nothing in time, is down until its next good answer.
    pub fn start(&self, tasks: &TaskTracker, stop: CancellationToken) {
        for index in 0..self.len() {
            let asking = probe::ask_forever(self.clone(), index);
            tasks.spawn(stop.clone().run_until_cancelled_owned(asking));
        }
    }

    /// Whether a call has a chance.
    pub fn any_healthy(&self) -> bool {
        let now = self.0.now();
        self.0.places.iter().any(|place| place.is_healthy(now))
    }

    /// Whose they are.
    pub fn service(&self) -> ServiceName {
        self.0.service
    }

    /// How many there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.0.places.len()
    }

    /// When an address counts as healthy.
    pub fn settings(&self) -> HealthSettings {
        self.0.settings
    }

    /// The address at a place below [`Addresses::len`].
    pub(crate) fn uris(&self) -> impl Iterator<Item = &Uri> {
        self.0.places.iter().map(|place| &place.uri)
    }

    /// What an address said of itself.
    fn answered(&self, index: usize, ready: bool) {
        let place = &self.0.places[index];
        let was_ready = !place.down.swap(!ready, Ordering::Relaxed);
        if was_ready == ready {
            return;
        }
        if ready {
            // It is a new process, or the same one well again: what its predecessor did not answer is forgotten.
            place.forgive();
        }
        tracing::info!(service = %self.0.service, address = %place.uri, ready, "address changed its readiness");
    }
}

impl Shared {
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Place {
    fn new(uri: Uri) -> Self {
        Self {
            uri,
            in_flight: AtomicUsize::new(0),
            failures: AtomicU32::new(0),
            ejected_until: AtomicU64::new(0),
            down: AtomicBool::new(false),
        }
    }

    fn forgive(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.ejected_until.store(0, Ordering::Relaxed);
    }

    fn is_healthy(&self, now: u64) -> bool {
        !self.down.load(Ordering::Relaxed) && now >= self.ejected_until.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Addresses")
            .field(&self.0.service)
            .field(&self.uris().collect::<Vec<_>>())
            .finish()
    }
}

/// An address, chosen for one call. Counts as one call under way until dropped.
pub struct Chosen {
    shared: Arc<Shared>,
    index: usize,
}

impl Chosen {
    /// Its place in the list: for `except`, and for whoever keeps connections per address.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The address.
    pub fn uri(&self) -> &Uri {
        &self.place().uri
    }

    /// The call failed in a way that speaks against the address: no connection, a broken one, or no answer.
    pub fn failed(&self) {
        let settings = &self.shared.settings;
        if self.place().failures.fetch_add(1, Ordering::Relaxed) + 1 >= settings.failures {
            let ejected_for = u64::try_from(settings.ejected_for.as_millis()).unwrap_or(u64::MAX);
            let until = self.shared.now().saturating_add(ejected_for);
            self.place().ejected_until.store(until, Ordering::Relaxed);
        }
    }

    /// The address answered, whatever the answer was.
    pub fn succeeded(&self) {
        let place = self.place();
        if place.failures.load(Ordering::Relaxed) != 0 {
            place.forgive();
        }
    }

    fn place(&self) -> &Place {
        &self.shared.places[self.index]
    }
}

impl Drop for Chosen {
    fn drop(&mut self) {
        self.place().in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Chosen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chosen({})", self.uri())
    }
}
