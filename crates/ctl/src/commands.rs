//! The subcommands, one module each.

mod alarms;
mod assignment;
mod backup;
mod clients;
mod define;
mod delayed;
mod explain;
mod messages;
mod place;
mod progress;
mod publish;
mod queue;
mod repair;
mod retained;
mod stream;
mod subscribe;
mod table;
mod top;
mod users;

#[cfg(test)]
mod tests;

use anyhow::Result;
use clap::Subcommand;

/// The subcommands of this crate.
#[derive(Debug, Subcommand)]
pub enum Commands {
    /// Publish messages
    #[command(disable_help_flag = true)]
    Pub(Box<publish::PubArgs>),
    /// Subscribe to topics and queues, and print what comes
    #[command(disable_help_flag = true)]
    Sub(Box<subscribe::SubArgs>),
    /// Manage queues
    Queue(queue::QueueArgs),
    /// Manage streams and their readers
    Stream(stream::StreamArgs),
    /// List clients, and send them away
    Clients(clients::ClientsArgs),
    /// List subscriptions
    Subs(clients::SubsArgs),
    /// List messages that are to be published later, and cancel them
    Delayed(delayed::DelayedArgs),
    /// List retained messages, and remove them
    Retained(retained::RetainedArgs),
    /// Show what needs attention
    Alarms(alarms::AlarmsArgs),
    /// Say why a message goes where it goes, or stays where it is
    Explain(explain::ExplainArgs),
    /// Show what the broker does, live
    Top(top::TopArgs),
    /// Manage users
    Users(users::UsersArgs),
    /// Write a backup
    Backup(backup::BackupArgs),
    /// Make a data directory of a backup
    Restore(backup::RestoreArgs),
    /// Show what is damaged in a data directory, and repair it
    Repair(repair::RepairArgs),
}

impl Commands {
    pub fn run(&self) -> Result<()> {
        match self {
            Self::Pub(args) => publish::run(args),
            Self::Sub(args) => subscribe::run(args),
            Self::Queue(args) => queue::run(args),
            Self::Stream(args) => stream::run(args),
            Self::Clients(args) => clients::run(args),
            Self::Subs(args) => clients::run_subs(args),
            Self::Delayed(args) => delayed::run(args),
            Self::Retained(args) => retained::run(args),
            Self::Alarms(args) => alarms::run(args),
            Self::Explain(args) => explain::run(args),
            Self::Top(args) => top::run(args),
            Self::Users(args) => users::run(args),
            Self::Backup(args) => backup::run(args),
            Self::Restore(args) => backup::restore(args),
            Self::Repair(args) => repair::run(args),
        }
    }
}
