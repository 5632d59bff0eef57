//! The steps of `docs/operations.md`, typed as they stand there: only passwords, ports and the broker's virtual host are others.

mod terminal;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use plaza_testkit::rabbitmq::Vhost;
use plaza_testkit::{TestDatabase, eventually};
use secrecy::ExposeSecret;

use crate::client::Api;
use crate::plaza::{bare, folder, output, printed};
use crate::story;
use terminal::{PATIENCE, Terminal};

const PAGE: &str = include_str!("../../../../docs/operations.md");
/// What the page's processes listen on.
const PORTS: [&str; 8] = ["8080", "9080", "9081", "9082", "9083", "9084", "9085", "9086"];
/// The shell commands of a section.
fn commands(heading: &str) -> String {
    let (_, rest) = PAGE.split_once(heading).unwrap();
    let section = rest.split("\n#").next().unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap()).collect()
}

/// An address of the loopback network that no connection goes out from, with a free port for each of the page's.
fn elsewhere(page: &str) -> (String, String) {
    let [.., high, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, 78, high, low);
    let taken = PORTS.map(|_| TcpListener::bind((host, 0)).unwrap());
    let ports = taken.map(|one| one.local_addr().unwrap().port().to_string());
    let page = page.replace("127.0.0.1", &host.to_string());
    // In two steps: a free port may be one of the page's.
    let named = PORTS.map(|port| (port, format!("<{port}>")));
    let page = named
        .iter()
        .fold(page, |page, (port, name)| page.replace(port, name));
    let page = named
        .iter()
        .zip(&ports)
        .fold(page, |page, ((_, name), port)| page.replace(name, port));
    (page, format!("http://{host}:{}", ports[0]))
}

/// The page with other words; each of those that are replaced has to be there.
fn replaced(page: String, words: &[(&str, &str)]) -> String {
    words.iter().fold(page, |page, (before, after)| {
        assert!(page.contains(before), "the page does not say {before}");
        page.replace(before, after)
    })
}

/// The split of the page for this database and this broker, and where people reach it.
fn adapted(database: &TestDatabase, vhost: &Vhost) -> (String, String) {
    let page = replaced(
        commands("### Split, on one machine\n"),
        &[
            (
                "postgresql://plaza_migrator:MIGRATORS-PASSWORD@127.0.0.1:5432/plaza",
                "<migrator>",
            ),
            ("postgresql://127.0.0.1:5432/plaza", "<database>"),
            ("amqp://plaza:BROKERS-PASSWORD@127.0.0.1:5672/plaza", "<broker>"),
            // The roles belong to all databases of the server.
            ("ROLE_KEY=$(openssl rand -hex 32)", "ROLE_KEY=<key>"),
        ],
    );
    // The values after the ports: some of them may look like one.
    let (page, public) = elsewhere(&page);
    let settings = database.settings();
    let url = settings.url.expose_secret();
    let (_, server) = url.split_once('@').unwrap();
    let page = replaced(
        page,
        &[
            ("<migrator>", url),
            ("<database>", &format!("postgresql://{server}")),
            ("<broker>", vhost.url().expose_secret()),
            ("<key>", settings.role_key.expose_secret()),
        ],
    );
    (page, public)
}

#[tokio::test]
async fn the_split_of_the_page_runs_as_it_stands_there() {
    let (database, vhost) = tokio::join!(TestDatabase::fresh(&[]), Vhost::new());
    let (page, public) = adapted(&database, &vhost);
    let mut terminal = Terminal::open(&page, &[]);
    terminal.says("everything is done").await;
    let told = terminal.told();
    assert!(told.contains(" to look at, 0 wrong"), "{told}");
    // The last thing that it prints.
    let link = told.lines().rev().nth(1).unwrap();
    assert!(link.starts_with(&public), "{told}");

    // What it made works: each part is known to the others by its own key, and reaches its own rows.
    let api = Api::at(&public);
    let (_, token) = link.trim().split_once("token=").unwrap();
    story::set_password(&api, token, story::ADMINISTRATOR).await;
    let admin = story::log_in(&api, story::ADMINISTRATOR).await;
    let acme = story::tenant(&admin, "acme").await;
    let people = story::testdata("recipients-semicolon-latin1.csv");
    assert_eq!(story::import(&acme.owner, &people).await["counts"]["valid"], 200);

    // The operator looks at dead letters without what opens sealed secrets.
    let mut letters = bare(&["events", "dlq", "list"]);
    letters
        .current_dir(terminal.folder().join("operator"))
        .env("PLAZA_CONFIG", terminal.folder().join("plaza.toml"));
    assert_eq!(printed(&output(letters).await), "");

    // Nobody knows what it does not need.
    let gateway = terminal.told_to("gateway");
    assert_eq!(gateway, ["PLAZA_INTERNAL__SIGNING_KEYS__GATEWAY"]);
    let mut access = terminal.told_to("access");
    access.sort();
    let needed = [
        "PLAZA_ACCESS_DATABASE_URL",
        "PLAZA_ACCESS_SYSTEM_DATABASE_URL",
        "PLAZA_INTERNAL__SIGNING_KEYS__ACCESS",
        "RABBITMQ_URL",
    ];
    assert_eq!(access, needed);

    terminal.go_on();
    terminal.says("all ended in order").await;
}

#[tokio::test]
async fn one_process_and_a_worker_beside_it_run_as_the_page_says() {
    let database = TestDatabase::fresh(&[]).await;
    let settings = database.settings();
    let page = replaced(
        commands("### One process, and workers beside it\n"),
        &[
            (
                "postgresql://plaza_migrator:MIGRATORS-PASSWORD@127.0.0.1:5432/plaza",
                settings.url.expose_secret(),
            ),
            ("$(openssl rand -hex 32)", settings.role_key.expose_secret()),
            // Each in a terminal of its own.
            ("plaza serve\n", "plaza serve &\n"),
            (
                "worker notification broadcast\n",
                "worker notification broadcast > worker.log 2>&1 &\n",
            ),
        ],
    );
    let (address, public) = elsewhere("127.0.0.1:8080");
    let mut terminal = Terminal::open(
        &page,
        &[
            ("PLAZA_LISTEN", address),
            ("PLAZA_INTERNAL_LISTEN", "127.0.0.1:0".to_owned()),
        ],
    );
    terminal.says("everything is done").await;
    let api = Api::at(&public);
    let log = terminal.place().join("worker.log");
    eventually(PATIENCE, || async {
        let worker = fs::read_to_string(&log).unwrap_or_default();
        terminal.told().contains(" is ready in ") && worker.contains(" is ready in ")
    })
    .await;
    let link = fs::read_to_string(terminal.place().join(".plaza/setup-link")).unwrap();
    let (_, token) = link.trim().split_once("token=").unwrap();
    story::set_password(&api, token, story::ADMINISTRATOR).await;
    let admin = story::log_in(&api, story::ADMINISTRATOR).await;
    let acme = story::tenant(&admin, "acme").await;
    // Whichever of the two takes it up sees the file.
    let people = story::testdata("recipients-semicolon-latin1.csv");
    assert_eq!(story::import(&acme.owner, &people).await["counts"]["valid"], 200);
    terminal.go_on();
    terminal.says("all ended in order").await;
}

#[tokio::test]
async fn the_statements_of_the_runbooks_fit_the_tables() {
    let place = folder();
    let database = TestDatabase::fresh(&[]).await;
    let settings = database.settings();
    let mut migrate = bare(&["migrate"]);
    migrate
        .current_dir(place.path())
        .env("DATABASE_URL", settings.url.expose_secret())
        .env("PLAZA_DATABASE_ROLE_KEY", settings.role_key.expose_secret());
    printed(&output(migrate).await);
    let (_, runbooks) = PAGE.split_once("\n## Runbooks\n").unwrap();
    let blocks = runbooks.split("```sql\n").skip(1);
    let mut blocks = blocks.map(|rest| rest.split("```").next().unwrap()).peekable();
    assert!(blocks.peek().is_some());
    let admin = database.admin().await;
    for block in blocks {
        let run = admin.batch_execute(block).await;
        run.unwrap_or_else(|error| panic!("{block}\n{error:?}"));
    }
}
