//! What the gateway does when nobody asks for anything, and what it knows of the services elsewhere.

use std::time::Duration;

use plaza_kernel::ServiceName;
use plaza_rpc::Addresses;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Gateway;
use crate::remote::Remote;

/// How often unused connections are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

impl Gateway {
    /// Closes connections to services that nobody needs any more. When told to stop, ends event streams, each after the
    /// event it is at: to be stopped together with the public listener, which waits for them.
    pub fn start(&self, tasks: &TaskTracker, stop: CancellationToken) {
        let (remotes, ending) = (self.remotes().to_vec(), self.ending().clone());
        tasks.spawn(async move {
            let sweeping = async {
                loop {
                    tokio::time::sleep(SWEEP_EVERY).await;
                    remotes.iter().for_each(Remote::sweep);
                }
            };
            stop.run_until_cancelled(sweeping).await;
            ending.cancel();
        });
    }

    /// The services elsewhere of which no address is known to be well. The gateway itself can still serve the others.
    pub fn unreachable(&self) -> Vec<ServiceName> {
        let addresses = self.remotes().iter().map(Remote::addresses);
        let unreachable = addresses.filter(|addresses| !addresses.any_healthy());
        unreachable.map(Addresses::service).collect()
    }
}
