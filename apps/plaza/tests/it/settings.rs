//! What Plaza is told, what it says when that is wrong, and `plaza serve` on a database of somebody else.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use plaza_testkit::{TestDatabase, eventually};
use secrecy::ExposeSecret;

use crate::client::Api;
use crate::plaza::{Builder, Plaza, complaint, folder, free_address, printed};
use crate::story;

#[tokio::test]
async fn a_wrong_key_is_told_with_the_nearest_one() {
    let plaza = Plaza::builder().prepare(folder());
    let file = "[server]\nlitsen = \"127.0.0.1:1\"\n[simulater]\nseed = 1\n";
    std::fs::write(plaza.root().join("plaza.toml"), file).unwrap();
    let told = complaint(&plaza.run(&[]).await);
    assert!(
        told.contains("`server.litsen` is not a setting; did you mean `listen`?"),
        "{told}"
    );
    assert!(
        told.contains("`simulater` is not a section; did you mean `simulator`?"),
        "{told}"
    );
}

#[tokio::test]
async fn a_key_that_is_near_nothing_is_told_with_all_there_are() {
    let plaza = Plaza::builder()
        .env("PLAZA_DATABASE__FLAVOUR", "sweet")
        .prepare(folder());
    let told = complaint(&plaza.run(&[]).await);
    assert!(
        told.contains("`database.flavour` is not a setting; there are url, role_key, programs"),
        "{told}"
    );
}

#[tokio::test]
async fn a_wrong_variable_is_told_too() {
    let plaza = Plaza::builder()
        .env("PLAZA_TELEMETRY__FORMT", "json")
        .prepare(folder());
    let told = complaint(&plaza.run(&[]).await);
    assert!(
        told.contains("`telemetry.formt` is not a setting; did you mean `format`?"),
        "{told}"
    );
}

#[tokio::test]
async fn serve_without_settings_lists_everything_that_is_missing() {
    for command in ["serve", "worker", "migrate"] {
        let plaza = Plaza::builder().prepare(folder());
        let told = complaint(&plaza.run(&[command]).await);
        for variable in ["DATABASE_URL", "PLAZA_DATABASE_ROLE_KEY"] {
            assert!(told.contains(variable), "{command}: {told}");
        }
        // Who only makes tables opens nothing.
        assert_eq!(
            told.contains("ENCRYPTION_KEY"),
            command != "migrate",
            "{command}: {told}"
        );
        assert!(!plaza.data().exists(), "{command} begins nothing");
    }
}

#[tokio::test]
async fn a_role_key_that_is_too_short_is_refused_before_anything_begins() {
    for command in ["serve", "worker", "migrate"] {
        let plaza = Plaza::builder()
            .env("DATABASE_URL", "postgresql://plaza@127.0.0.1:9/plaza")
            .env("PLAZA_DATABASE_ROLE_KEY", "a key of thirty-one characters.")
            .env(
                "ENCRYPTION_KEY",
                plaza_crypto::KeyRing::generate().expose_secret(),
            )
            .prepare(folder());
        let told = complaint(&plaza.run(&[command]).await);
        assert!(
            told.contains("(PLAZA_DATABASE_ROLE_KEY) is shorter than 32 bytes"),
            "{command}: {told}"
        );
        assert!(!told.contains("thirty-one"), "{command}: {told}");
        assert!(!plaza.data().exists(), "{command} begins nothing");
    }
}

/// `plaza serve` on a database of the shared test cluster.
fn on(database: &TestDatabase) -> Builder {
    let settings = database.settings();
    Plaza::builder()
        .env("DATABASE_URL", settings.url.expose_secret())
        .env("PLAZA_DATABASE_ROLE_KEY", settings.role_key.expose_secret())
        .env(
            "ENCRYPTION_KEY",
            plaza_crypto::KeyRing::generate().expose_secret(),
        )
        .arg("serve")
}

#[tokio::test]
async fn serve_works_on_a_database_that_was_migrated() {
    let database = TestDatabase::fresh(&[]).await;
    let mut plaza = on(&database).prepare(folder());
    assert_eq!(
        printed(&plaza.run(&["migrate"]).await),
        "the database is up to date\n"
    );
    plaza.restart().await;
    assert!(plaza.postmaster().is_none() && !plaza.data().join("postgres").exists());
    assert!(
        plaza.addresses()["simulator"].is_null(),
        "no simulator but on a laptop"
    );
    let admin = story::administrator(&plaza).await;
    let acme = story::tenant(&admin, "acme").await;
    assert_eq!(acme.owner.get("/api/v1/auth/me").await.ok()["role"], "owner");
    assert_eq!(
        printed(&plaza.run(&["migrate"]).await),
        "the database is up to date\n",
        "safe to repeat"
    );
    plaza.stop().await;
}

#[tokio::test]
async fn serve_refuses_a_superuser_for_a_service() {
    let database = TestDatabase::fresh(&[]).await;
    let superuser = database.url();
    let plaza = on(&database)
        .env("PLAZA_IDENTITY_DATABASE_URL", superuser.expose_secret())
        .prepare(folder());
    printed(&plaza.run(&["migrate"]).await);
    let told = complaint(&plaza.run(&["serve"]).await);
    assert!(
        told.contains("identity may not run with its database login"),
        "{told}"
    );
    assert!(told.contains("superuser"), "{told}");
    let (_, secret) = superuser.expose_secret().split_once("://").unwrap();
    let password = secret.split(['@', ':']).nth(1).unwrap();
    assert!(!told.contains(password), "the complaint holds the password");
}

#[tokio::test]
async fn commands_on_a_configured_database_make_no_keys_of_their_own() {
    let database = TestDatabase::fresh(&[]).await;
    let settings = database.settings();
    let people = crate::story::testdata("recipients-semicolon-latin1.csv");
    let import = [
        "import",
        "recipients",
        people.to_str().unwrap(),
        "--tenant",
        "demo",
    ];
    let plaza = Plaza::builder()
        .env("DATABASE_URL", settings.url.expose_secret())
        .prepare(folder());
    for command in [&["seed", "demo"][..], &import] {
        let told = complaint(&plaza.run(command).await);
        for variable in ["PLAZA_DATABASE_ROLE_KEY", "ENCRYPTION_KEY"] {
            assert!(told.contains(variable), "{command:?}: {told}");
        }
        assert!(!plaza.data().exists(), "{command:?} begins nothing");
    }

    let mut plaza = on(&database).prepare(folder());
    printed(&plaza.run(&["migrate"]).await);
    let told = printed(&plaza.run(&["seed", "demo"]).await);
    let told = told.lines().find_map(|line| line.strip_prefix("password  "));
    let password = told.unwrap().strip_suffix("   (shown once)").unwrap();
    assert!(printed(&plaza.run(&import).await).contains("valid"));
    assert!(!plaza.data().join("secrets.toml").exists());
    // What they sealed, the server opens: tokens are signed with a sealed key.
    plaza.restart().await;
    let login = serde_json::json!({"email": "owner@demo.example", "password": password});
    plaza.api().post("/api/v1/auth/login", login).await.ok();
    plaza.stop().await;
}

#[tokio::test]
async fn whoever_finds_it_ready_finds_the_setup_link() {
    const PATIENCE: Duration = Duration::from_secs(60);
    let database = TestDatabase::fresh(&[]).await;
    let internal = free_address();
    let mut plaza = on(&database)
        .env("PLAZA_INTERNAL_LISTEN", &internal)
        .prepare(folder());
    printed(&plaza.run(&["migrate"]).await);
    plaza.spawn();
    eventually(PATIENCE, async || {
        tokio::net::TcpStream::connect(&internal).await.is_ok()
    })
    .await;
    // Waits in the listener's queue until the process begins to answer.
    let answer = Api::at(&format!("http://{internal}")).get("/livez").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(plaza.data().join("setup-link").exists());
    eventually(PATIENCE, async || plaza.stdout().contains(" is ready in ")).await;
    plaza.stop().await;
}

#[tokio::test]
async fn serve_everywhere_has_to_be_told_where_people_reach_it() {
    let database = TestDatabase::fresh(&[]).await;
    for everywhere in ["0.0.0.0:0", "[::]:0"] {
        let plaza = on(&database).env("PLAZA_LISTEN", everywhere).prepare(folder());
        let told = complaint(&plaza.run(&["serve"]).await);
        assert!(told.contains("PLAZA_SERVER__PUBLIC_URL"), "{told}");
        assert!(!plaza.data().exists(), "nothing was begun");
    }
    let mut plaza = on(&database)
        .env("PLAZA_LISTEN", "0.0.0.0:0")
        .env("PLAZA_SERVER__PUBLIC_URL", "https://plaza.example/")
        .prepare(folder());
    printed(&plaza.run(&["migrate"]).await);
    plaza.restart().await;
    // What a server prints is collected: it says where the link is, not what it is.
    let (printed, file) = (plaza.stdout(), plaza.data().join("setup-link"));
    let where_it_is = format!("setup link: read it in {}\n", file.display());
    assert!(printed.contains(&where_it_is), "{printed}");
    let told = [printed, plaza.stderr()].concat();
    assert!(!told.contains(&plaza.setup_token()), "{told}");
    let link = std::fs::read_to_string(&file).unwrap();
    assert!(link.starts_with("https://plaza.example/setup?token="), "{link}");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    plaza.stop().await;
}
