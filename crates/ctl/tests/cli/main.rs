//! The commands as processes, against servers that follow a script: output, errors, exit codes.

mod alarms;
mod broker;
mod explain;
mod operator;
mod program;
mod publish;
mod queue;
mod rest_server;
mod stream;
mod subscribe;
mod top;
mod users;
