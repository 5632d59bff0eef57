use super::*;

fn cheap() -> PasswordConfig {
    PasswordConfig {
        memory_kib: 64,
        passes: 1,
        ..PasswordConfig::default()
    }
}

fn secret(text: &str) -> SecretString {
    text.into()
}

#[tokio::test]
async fn a_password_is_compared_whole_and_in_its_case() {
    let passwords = Passwords::new(cheap());
    let long = format!("correct horse {}", "x".repeat(60));
    let stored = passwords.hash_new(&secret(&long), "").await.unwrap();
    let compare = async |text: String| passwords.compare(&text.into(), Some(stored.clone())).await;
    assert_eq!(
        compare(long.clone()).await.unwrap(),
        Verdict::Right { renewed: None }
    );
    assert_eq!(compare(format!("{long}y")).await.unwrap(), Verdict::Wrong);
    assert_eq!(compare(long.to_uppercase()).await.unwrap(), Verdict::Wrong);
}

#[tokio::test]
async fn an_unknown_account_is_compared_in_vain() {
    let passwords = Passwords::new(cheap());
    assert_eq!(
        passwords.compare(&secret("anything at all"), None).await.unwrap(),
        Verdict::Wrong
    );
}

#[tokio::test]
async fn a_hash_of_weaker_settings_is_renewed() {
    let stored = Passwords::new(cheap())
        .hash_new(&secret("ein recht langes Kennwort"), "")
        .await
        .unwrap();
    let stronger = Passwords::new(PasswordConfig { passes: 2, ..cheap() });
    let verdict = stronger
        .compare(&secret("ein recht langes Kennwort"), Some(stored))
        .await
        .unwrap();
    let Verdict::Right {
        renewed: Some(renewed),
    } = verdict
    else {
        panic!("{verdict:?}")
    };
    assert!(renewed.starts_with("$argon2id$v=19$m=64,t=2,p=1$"), "{renewed}");
}

#[tokio::test]
async fn short_long_and_common_passwords_are_refused() {
    let passwords = Passwords::new(cheap());
    let refused = |text: String| {
        let passwords = passwords.clone();
        async move {
            passwords
                .hash_new(&text.into(), "ada@example.org")
                .await
                .unwrap_err()
                .code()
        }
    };
    assert_eq!(refused("7 chars".to_owned()).await, "PASSWORD_TOO_SHORT");
    assert_eq!(refused("x".repeat(129)).await, "PASSWORD_TOO_LONG");
    assert_eq!(refused("password123".to_owned()).await, "PASSWORD_TOO_WEAK");
    assert_eq!(refused("ada@example.org".to_owned()).await, "PASSWORD_TOO_WEAK");
    // What lists of stolen passwords begin with, as far as it is long enough.
    for common in [
        "password",
        "12345678",
        "123456789",
        "1234567890",
        "qwertyuiop",
        "1q2w3e4r",
        "1qaz2wsx",
        "iloveyou",
        "sunshine",
        "princess",
        "football",
        "baseball",
        "superman",
        "trustno1",
        "letmein123",
        "welcome1",
        "whatever",
        "computer",
        "corvette",
        "starwars",
        "password1",
        "Password1!",
        "P@ssw0rd",
        "passw0rd",
        "qwerty123",
        "abc12345",
        "admin123",
        "00000000",
        "11111111",
        "aaaaaaaa",
        "abcdefgh",
        "asdfghjkl",
        "zxcvbnm1",
        "changeme",
        "monkey123",
        "dragon123",
    ] {
        assert_eq!(refused(common.to_owned()).await, "PASSWORD_TOO_WEAK", "{common}");
    }
}

#[tokio::test]
async fn who_finds_the_queue_full_is_told_at_once() {
    let passwords = Passwords::new(PasswordConfig {
        at_once: 1,
        queue: 0,
        ..cheap()
    });
    let _place = passwords.places.clone().try_acquire_owned().unwrap();
    let error = passwords
        .compare(&secret("anything at all"), None)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (Kind::Unavailable, "TOO_MANY_LOGINS")
    );
}
