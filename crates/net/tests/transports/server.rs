//! A broker on two shards with one listener, its log in memory.

use std::sync::Arc;

use broker::{Broker, Post, Recovery};
use log_api::testing::MemoryStore;
use net::{Address, Config, ListenerConfig, Running};
use std::net::SocketAddr;
use stdx::UnixMillis;

pub struct Server {
    running: Option<Running>,
    pub address: Address,
}

impl Server {
    pub fn start(listener: ListenerConfig) -> Self {
        Self::with(Config { listeners: vec![listener], ..Config::default() })
    }

    pub fn with(config: Config) -> Self {
        let bound = net::bind(&config).expect("a free address");
        let address = bound.addresses()[0].1.clone();
        let broker_config = broker::Config { shards: 2, ..broker::Config::default() };
        let post = Post::new(2);
        let log = MemoryStore::new().open(2, Arc::new(post.clone()));
        let recovered = Recovery::new(None).expect("nothing to recover").finish();
        let Broker { shards, .. } =
            broker::open(broker_config, post.clone(), log, recovered, [1, 2], UnixMillis(0));
        let running = net::start(bound, config, shards, &post).expect("threads");
        Self { running: Some(running), address }
    }

    /// Reads the certificate again; says what is wrong with it.
    pub fn reload(&self) -> Result<(), String> {
        let running = self.running.as_ref().expect("it runs");
        running
            .handle()
            .reload_tls()
            .try_for_each(|(_, outcome)| outcome.map_err(|error| error.to_string()))
    }

    pub fn handle(&self) -> &net::Handle {
        self.running.as_ref().expect("it runs").handle()
    }

    /// How many connections were refused for that reason.
    pub fn refused(&self, reason: &str) -> u64 {
        let mut counts = self.handle().refused();
        counts.find(|(name, _)| *name == reason).expect("a reason").1
    }

    pub fn ip(&self) -> SocketAddr {
        self.address.ip().expect("an IP address")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().expect("every thread ends well");
        }
    }
}

/// Any free port of this machine.
pub fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}
