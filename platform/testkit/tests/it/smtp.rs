use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use plaza_testkit::smtp::SmtpServer;

/// Says these lines to the server; gives the codes that it answered with.
fn converse(port: u16, lines: &[&str]) -> Vec<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut code = move || loop {
        let line = answers.next().unwrap().unwrap();
        // All lines of an answer but the last have a dash.
        if line.as_bytes()[3] != b'-' {
            return line[..3].to_owned();
        }
    };
    let mut codes = vec![code()];
    for line in lines {
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        codes.push(code());
    }
    codes
}

#[tokio::test]
async fn a_mail_is_taken_and_shown_and_addresses_say_what_else_happens() {
    let server = SmtpServer::start().await;
    let text = "Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\nFrom: a@b.example\r\n\r\nhttp://c.example/d\r\n.";
    let lines = [
        "EHLO me",
        "MAIL FROM:<a@b.example>",
        "RCPT TO:<ada@b.example>",
        "DATA",
        text,
        "QUIT",
    ];
    assert_eq!(
        converse(server.port(), &lines),
        ["220", "250", "250", "250", "354", "250", "221"]
    );
    let mail = server.mail_to("ada@b.example").await;
    assert_eq!(
        (mail.subject.as_str(), mail.link().as_str()),
        ("Grüße", "http://c.example/d")
    );
    assert_eq!((mail.tls, mail.sender.as_str()), (false, "a@b.example"));
    let refused = [
        "EHLO me",
        "MAIL FROM:<a@b.example>",
        "RCPT TO:<never@b.example>",
        "RCPT TO:<later-1.x@b.example>",
        "RCPT TO:<later-1.x@b.example>",
        "QUIT",
    ];
    assert_eq!(
        converse(server.port(), &refused),
        ["220", "250", "250", "550", "450", "250", "221"]
    );
}
