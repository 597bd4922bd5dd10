//! `service.email`: mail over SMTP, by the crate lettre. The recipient is an address.

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde_json::Value;

use super::{Service, TIMEOUT, first_line, text};

/// The port on which TLS begins with the connection.
const IMPLICIT_TLS: u16 = 465;

/// A mail and the way to its server. It has no `Debug`, because it holds a password.
pub struct Mail {
    message: Message,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Mail {
    /// Hands the mail to the server.
    ///
    /// # Errors
    /// Why it was not taken, and whether it may be tried again.
    pub async fn send(&self) -> Result<(), (String, bool)> {
        let sent = self.transport.send(self.message.clone()).await;
        sent.map(drop).map_err(|error| (error.to_string(), !error.is_permanent()))
    }
}

impl Service {
    pub(super) fn mail(&self, message: &Value, recipient: &str) -> Result<Mail, String> {
        let mailbox = |field: &str, address: &str| -> Result<Mailbox, String> {
            address.parse().map_err(|error| format!("{field} '{address}' is no address: {error}"))
        };
        let (said, subject) = (text(message, "/message"), text(message, "/email/subject"));
        let subject = if subject.is_empty() { first_line(&said).to_owned() } else { subject };
        let body = text(message, "/email/body");
        let kind = if self.is_set("html") { ContentType::TEXT_HTML } else { ContentType::TEXT_PLAIN };
        let message = Message::builder()
            .from(mailbox(&format!("service.{}: from", self.name), &self.setting("/from"))?)
            .to(mailbox("the recipient", recipient)?)
            .subject(subject.trim())
            .header(kind)
            .body(if body.is_empty() { said } else { body })
            .map_err(|error| format!("the mail cannot be made: {error}"))?;
        Ok(Mail { message, transport: self.transport()? })
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let (host, port, user) = (self.setting("/host"), self.setting("/port"), self.setting("/username"));
        let port: u16 = match port.as_str() {
            "" => 587,
            port => port.parse().map_err(|_| format!("service.{}: port '{port}' is no port", self.name))?,
        };
        let parameters = TlsParameters::builder(host.clone())
            .dangerous_accept_invalid_certs(self.is_set("insecure_skip_verify"))
            .build()
            .map_err(|error| format!("service.{}: {error}", self.name))?;
        let here = ["localhost", "127.0.0.1", "::1"].contains(&host.as_str());
        let tls = match port {
            IMPLICIT_TLS => Tls::Wrapper(parameters),
            // A password is not sent in the clear.
            _ if !user.is_empty() && !here => Tls::Required(parameters),
            _ => Tls::Opportunistic(parameters),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if !user.is_empty() {
            builder = builder.credentials(Credentials::new(user, self.setting("/password")));
        }
        Ok(builder.build())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    /// Takes one mail on loopback, or refuses its recipient, and gives what was said to it.
    async fn server(host: &str, refusing: bool) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (input, mut output) = stream.into_split();
            let (mut lines, mut heard, mut data) = (BufReader::new(input).lines(), String::new(), false);
            output.write_all(b"220 here\r\n").await.unwrap();
            while let Ok(Some(line)) = lines.next_line().await {
                heard.push_str(&line);
                heard.push('\n');
                let answer: &[u8] = match line.as_str() {
                    "." => b"250 taken\r\n",
                    _ if data => continue,
                    "DATA" => b"354 go on\r\n",
                    "QUIT" => b"221 bye\r\n",
                    line if refusing && line.starts_with("RCPT") => b"550 no such person\r\n",
                    _ => b"250 ok\r\n",
                };
                data = line == "DATA";
                output.write_all(answer).await.unwrap();
            }
            heard
        });
        (port, heard)
    }

    fn mail(config: Value, message: &Value) -> Mail {
        Service::of("email", "gmail", config).unwrap().mail(message, "ops@shop.example").unwrap()
    }

    #[tokio::test]
    async fn a_mail_arrives_with_subject_and_text() {
        let (port, heard) = server("127.0.0.1", false).await;
        let config = json!({"host": "127.0.0.1", "port": port, "from": "serin@shop.example"});
        let mail = mail(config, &json!({"message": "shop failed\nmore", "email": {"subject": "S"}}));
        assert_eq!(mail.send().await, Ok(()));
        drop(mail);
        let heard = heard.await.unwrap();
        for expected in [
            "MAIL FROM:<serin@shop.example>",
            "RCPT TO:<ops@shop.example>",
            "Subject: S\n",
            "Content-Type: text/plain",
            "shop failed\nmore\n.",
        ] {
            assert!(heard.contains(expected), "{expected}: {heard}");
        }
    }

    #[tokio::test]
    async fn a_refusal_is_final_and_a_closed_door_is_not() {
        let (port, _heard) = server("127.0.0.1", true).await;
        let config = |port| json!({"host": "127.0.0.1", "port": port, "from": "serin@shop.example"});
        let message = json!({"message": "m"});
        let (why, again) = mail(config(port), &message).send().await.unwrap_err();
        assert!(why.contains("no such person") && !again, "{why}");
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        assert!(mail(config(closed), &message).send().await.unwrap_err().1);
    }

    /// The server offers no TLS, so the password stays here.
    #[tokio::test]
    async fn a_password_is_not_sent_in_the_clear() {
        let (port, heard) = server("127.0.0.2", false).await;
        let config = json!({"host": "127.0.0.2", "port": port, "from": "a@b.example", "username": "me", "password": "pw"});
        let mail = mail(config, &json!({"message": "m"}));
        assert!(mail.send().await.is_err());
        drop(mail);
        let heard = heard.await.unwrap();
        assert!(heard.starts_with("EHLO") && !heard.contains("AUTH"), "{heard}");
    }
}
