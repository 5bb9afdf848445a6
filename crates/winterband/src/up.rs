//! `up`: the whole product in one process; `serve`: some roles of it.
#![expect(clippy::print_stdout, reason = "the sheet that a person reads at the start")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use bus::{ServerOptions, SupervisedServer};
use service::{Kit, Settings};
use tokio::net::TcpListener;

use crate::first_start::{self, Signin, Signins};
use crate::roles::{self, Role, Running, Shared};
use crate::{boot, first_start::Floor};

/// Where `deploy/run` puts a nats-server that it fetched.
pub(crate) const TOOLS_FOLDER: &str = ".tools";

/// Runs everything until a signal.
pub(crate) async fn run(folder: Option<&Path>) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    let floor = Floor::read(folder)?;
    let kit = boot::kit(settings)?;
    kit.drain.listen_for_signals()?;
    // Bound before anything starts, so that a second `up` is told at once.
    let listener = listen(&kit).await?;
    let server = supervise(&kit).await?;
    let bus_settings = match &server {
        Some(server) => server.settings().named("winterband"),
        None => boot::bus_settings(&kit.settings, "winterband")?,
    };
    let shared = boot::shared(kit.clone(), &bus_settings).await?;
    let signins = first_start::prepare(&shared, &floor).await?;
    if let Some(server) = &server {
        api::integrations::keep_admitted(&shared.kit, &shared.bus, server.user_list()).await?;
    }
    let running = roles::start(&shared, &Role::ALL).await?;
    println!("{}", sheet(&kit.settings, server.is_some(), &signins));
    finish(&shared, listener, running).await?;
    if let Some(server) = server {
        server.stop().await;
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs some roles on a bus that runs already.
pub(crate) async fn serve(folder: Option<&Path>, roles: &[Role]) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    let floor = Floor::read(folder)?;
    let kit = boot::kit(settings)?;
    kit.drain.listen_for_signals()?;
    let listener = listen(&kit).await?;
    let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
    let bus_settings = boot::bus_settings(&kit.settings, "winterband")?;
    let shared = boot::shared(kit.clone(), &bus_settings).await?;
    first_start::prepare(&shared, &floor).await?;
    let running = roles::start(&shared, roles).await?;
    println!("winterband {} on http://{}", names.join(", "), kit.settings.http.listen);
    finish(&shared, listener, running).await?;
    Ok(ExitCode::SUCCESS)
}

async fn listen(kit: &Kit) -> Result<TcpListener> {
    let address = kit.settings.http.listen;
    TcpListener::bind(address).await.with_context(|| {
        format!("listen on {address}: is another Winterband running? Set http.listen to use another port")
    })
}

async fn supervise(kit: &Kit) -> Result<Option<SupervisedServer>> {
    if !kit.settings.nats.url.is_empty() {
        return Ok(None);
    }
    boot::make_folder(&kit.settings.data.folder)?;
    let options = ServerOptions { tools_dir: Some(PathBuf::from(TOOLS_FOLDER)), ..ServerOptions::default() };
    Ok(Some(SupervisedServer::start_with(&boot::nats_folder(&kit.settings), options).await?))
}

/// Serves until told to end, then lets every task finish.
async fn finish(shared: &Shared, listener: TcpListener, running: Running) -> Result<()> {
    let kit = &shared.kit;
    let router = running.router.clone().merge(service::http::router(kit.health.clone(), kit.metrics.clone()));
    let router = service::http::with_problems(router);
    let token = kit.drain.token();
    kit.drain.spawn("http", async move { Ok(service::http::serve(listener, router, token).await?) });
    kit.drain.started().await;
    tracing::info!("drains");
    let late = kit.drain.finish(kit.settings.drain.deadline).await;
    if !late.is_empty() {
        tracing::warn!(tasks = late.join(", "), "ended without waiting for all tasks");
    }
    running.drain().await;
    Ok(())
}

/// What a person needs to begin.
fn sheet(settings: &Settings, supervises: bool, signins: &Signins) -> String {
    let url = &settings.http.public_url;
    let data = settings.data.folder.display();
    let bus = if supervises { "its own nats-server" } else { settings.nats.url.as_str() };
    let shop = match settings.empowerment.shop_url.as_str() {
        "" => "waits: no shop is named in empowerment.shop_url",
        url => url,
    };
    let line = |signin: &Signin| format!("    {:<10} password {}\n", signin.name, signin.password);
    let agents: String = signins.agents.iter().map(line).collect();
    format!(
        "\n  Winterband is up.\n\n  \
         The desk       {url}/desk\n{agents}\n  \
         The demo shop  {url}/shop        (open it in another window and write in the chat)\n  \
         The API        {url}/api/v1      (key in {})\n  \
         Health         {url}/health/ready   metrics {url}/metrics\n  \
         What is given  {shop}\n  \
         Data           {data}            (on {bus})\n\n  \
         Ctrl-C ends it; started again, it goes on where it was.\n",
        signins.api_key_file.display()
    )
}
