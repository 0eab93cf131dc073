//! Where the broker is and what is spoken with it: by flags, whose letters are mosquitto's, or by a URL.

mod url;

use std::path::PathBuf;

use clap::Args;
use mqtt_client::{Network, TlsOptions, TlsVersion, Transport};

use crate::failure::Usage;
use url::Url;

/// Where the broker is and what is spoken with it.
#[derive(Clone, Debug, Default, Args)]
pub struct ServerArgs {
    /// The broker: mqtt://, mqtts://, ws://, wss://, quic:// with [user[:password]@]host[:port][/path], or unix:PATH
    #[arg(short = 'L', long, value_parser = Url::parse, conflicts_with_all = ["host", "port", "unix", "ws", "tls"])]
    url: Option<Url>,
    /// The broker's host [default: 127.0.0.1]
    #[arg(short = 'h', long)]
    host: Option<String>,
    /// The broker's port [default: 1883; 8883 with TLS, 8083 with WebSocket, 8084 with both]
    #[arg(short, long)]
    port: Option<u16>,
    /// The broker's Unix socket
    #[arg(long, value_name = "PATH", conflicts_with_all = ["host", "port", "ws", "tls", "cafile"])]
    unix: Option<String>,
    /// Speak WebSocket
    #[arg(long)]
    ws: bool,
    /// The path of the WebSocket
    #[arg(long, value_name = "PATH", default_value = "/mqtt")]
    ws_path: String,
    /// Speak TLS, trusting the authorities that this system trusts
    #[arg(long, visible_alias = "tls-use-os-certs")]
    tls: bool,
    /// Speak TLS, trusting the authorities in this file (PEM)
    #[arg(long, value_name = "FILE")]
    cafile: Option<PathBuf>,
    /// The client's certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of the client's certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Take a certificate of another name; without --cafile, any certificate at all
    #[arg(long)]
    insecure: bool,
    /// The one version of TLS to speak: tlsv1.2 or tlsv1.3
    #[arg(long, value_name = "VERSION", value_parser = parse_tls_version)]
    tls_version: Option<TlsVersion>,
}

/// What the arguments come to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Server {
    pub address: String,
    pub transport: Transport,
    pub username: Option<String>,
    pub password: Option<String>,
}

impl ServerArgs {
    /// # Errors
    /// There are files for TLS, and something else is to be spoken.
    pub fn server(&self) -> Result<Server, Usage> {
        let needs_tls = self.cafile.is_some()
            || self.cert.is_some()
            || self.insecure
            || self.tls_version.is_some();
        let Some(url) = &self.url else { return Ok(self.by_flags(self.tls || needs_tls)) };
        if needs_tls && !url.is_tls {
            let words = "that URL is without TLS: write mqtts://, wss:// or quic://, or leave out --cafile, \
                         --cert, --insecure and --tls-version";
            return Err(Usage(words.to_owned()));
        }
        let path = url.path.as_deref().unwrap_or(&self.ws_path);
        Ok(Server {
            address: url.address.clone(),
            transport: Transport {
                network: url.network,
                tls: url.is_tls.then(|| self.tls_options()),
                websocket_path: url.is_websocket.then(|| path.to_owned()),
            },
            username: url.username.clone(),
            password: url.password.clone(),
        })
    }

    fn by_flags(&self, is_tls: bool) -> Server {
        if let Some(path) = &self.unix {
            let transport = Transport { network: Network::Unix, ..Transport::default() };
            return Server { address: path.clone(), transport, ..Server::default() };
        }
        let host = self.host.as_deref().unwrap_or("127.0.0.1");
        let port = self.port.unwrap_or_else(|| url::port(is_tls, self.ws));
        let transport = Transport {
            network: Network::Tcp,
            tls: is_tls.then(|| self.tls_options()),
            websocket_path: self.ws.then(|| self.ws_path.clone()),
        };
        Server { address: url::address(host, port), transport, ..Server::default() }
    }

    fn tls_options(&self) -> TlsOptions {
        TlsOptions {
            ca_file: self.cafile.clone(),
            certificate: self.cert.clone().zip(self.key.clone()),
            server_name: None,
            version: self.tls_version,
            insecure: self.insecure,
        }
    }
}

fn parse_tls_version(text: &str) -> Result<TlsVersion, String> {
    match text.trim_start_matches("tlsv") {
        "1.2" => Ok(TlsVersion::V1_2),
        "1.3" => Ok(TlsVersion::V1_3),
        _ => Err("is none of tlsv1.2, tlsv1.3".to_owned()),
    }
}

#[cfg(test)]
mod tests;
