//! What `docs/events.md` tells an outsider to type.

use plaza_testkit::rabbitmq::{Permissions, Topics};

const PAGE: &str = include_str!("../../../../../docs/events.md");

/// The program of the page.
pub(super) fn example() -> &'static str {
    let (_, rest) = PAGE.split_once("```python\n").unwrap();
    rest.split("```").next().unwrap()
}

/// What a login of the page may do, as its commands say; without the keys of events that it may bind.
pub(super) fn permissions(login: &str) -> Permissions {
    let [configure, write, read] = quoted(&format!("rabbitmqctl set_permissions -p plaza {login} "));
    Permissions {
        configure,
        write,
        read,
        topics: None,
    }
}

/// The keys that a login of the page may bind.
pub(super) fn topics(login: &str) -> Topics {
    let command = format!("rabbitmqctl set_topic_permissions -p plaza {login} plaza.events ");
    let [write, read] = quoted(&command);
    Topics {
        exchange: "plaza.events".to_owned(),
        write,
        read,
    }
}

/// The quoted arguments of the command that begins like this.
fn quoted<const N: usize>(command: &str) -> [String; N] {
    let rest = PAGE.lines().find_map(|line| line.strip_prefix(command));
    let rest = rest.unwrap_or_else(|| panic!("docs/events.md does not say {command}"));
    let arguments: Vec<String> = rest.split('\'').skip(1).step_by(2).map(str::to_owned).collect();
    arguments.try_into().unwrap()
}
