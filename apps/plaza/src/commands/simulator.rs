//! `plaza simulator`: the provider simulator as a process of its own.

use plaza_kernel::Clock;
use plaza_simulator::Simulator;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::process::bind;
use crate::signals::Signals;

/// Runs it until told to stop.
///
/// # Errors
/// When its settings cannot be used or its state cannot be read.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    let mut signals = Signals::install()?;
    let telemetry = plaza_telemetry::init_for(&config.telemetry, "simulator")?;
    let listener = bind("--listen", config.simulator.listen).await?;
    let simulator = Simulator::new(config.simulator, Clock::system())?;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    simulator.start(&tasks, stop.clone());
    println!("simulator: http://{}", listener.local_addr()?);
    let serving = simulator.serve(listener, stop.clone());
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => ended?,
        _ = signals.next() => {
            stop.cancel();
            serving.await?;
        }
    }
    tasks.close();
    tasks.wait().await;
    telemetry.shutdown();
    Ok(())
}
