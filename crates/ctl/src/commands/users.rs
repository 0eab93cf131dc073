//! `weir users`.

use admin_api::{UserPatch, UserSpec, UserView};
use anyhow::Result;
use clap::{Args, Subcommand};

use crate::output::{self, Columns};
use crate::password_args::PasswordArgs;
use crate::rest::segment;
use crate::rest_args::RestArgs;

const USERS: &str = "/api/v1/users";

/// The arguments of `weir users`.
#[derive(Debug, Args)]
pub struct UsersArgs {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    rest: RestArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List all users
    Ls,
    /// Add a user
    Add {
        /// Its name
        username: String,
        /// A role, such as admin, which may manage everything; may be given several times
        #[arg(short, long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Remove users; their connections end
    Rm {
        /// Their names
        #[arg(required = true)]
        usernames: Vec<String>,
    },
    /// Set the password of a user
    Passwd {
        /// Its name
        username: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
}

/// Does what the verb says.
pub fn run(args: &UsersArgs) -> Result<()> {
    let json = args.rest.json;
    match &args.verb {
        Verb::Ls => {
            let users: Vec<UserView> = args.rest.rest()?.list(USERS, &[])?;
            if json { output::json(&users) } else { output::line(&table(&users)) }
        }
        Verb::Add { username, roles, password } => {
            let rest = args.rest.rest()?;
            let password = password.read(username)?;
            let spec = UserSpec { username: username.clone(), password, roles: roles.clone() };
            let view: UserView = rest.send("POST", USERS, &spec)?;
            if json {
                return output::json(&view);
            }
            output::line(&format!(
                "user '{}' added; while there are users, clients on this machine have to sign in too (auth.anonymous)",
                view.username
            ))
        }
        Verb::Rm { usernames } => {
            let rest = args.rest.rest()?;
            for username in usernames {
                rest.delete(&path(username))?;
                output::line(&format!("user '{username}' removed"))?;
            }
            Ok(())
        }
        Verb::Passwd { username, password } => {
            let rest = args.rest.rest()?;
            let password = Some(password.read(username)?);
            let patch = UserPatch { password, ..UserPatch::default() };
            let view: UserView = rest.send("PATCH", &path(username), &patch)?;
            if json {
                return output::json(&view);
            }
            output::line(&format!("password of user '{}' set", view.username))
        }
    }
}

fn path(username: &str) -> String {
    format!("{USERS}/{}", segment(username))
}

fn table(users: &[UserView]) -> String {
    let mut table = Columns::new(["USER", "ROLES"]);
    for user in users {
        let roles = if user.roles.is_empty() { "-".to_owned() } else { user.roles.join(", ") };
        table.row([user.username.clone(), roles]);
    }
    table.text()
}
