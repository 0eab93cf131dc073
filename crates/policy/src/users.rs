//! All users at one moment, and which changes to them may be. It must not know where they are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::user::{User, UserError};

/// The user that the first start makes.
pub const ADMIN: &str = "admin";

/// All users at one moment. A change makes a new one of these.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Users {
    by_name: BTreeMap<Arc<str>, Arc<User>>,
}

impl Users {
    /// The user of that name.
    #[must_use]
    pub fn get(&self, username: &str) -> Option<&Arc<User>> {
        self.by_name.get(username)
    }

    /// All users, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<User>> {
        self.by_name.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Whether somebody has set up sign-in: there are users beside the one that the first start made.
    #[must_use]
    pub fn has_others_than_admin(&self) -> bool {
        self.by_name.keys().any(|name| &**name != ADMIN)
    }

    /// The users with one more.
    ///
    /// # Errors
    /// There is one of that name, or as many as there may be.
    pub fn with(&self, user: User, users_max: usize) -> Result<Self, UserError> {
        let name = Arc::clone(&user.identity.username);
        if self.by_name.contains_key(&name) {
            return Err(UserError::Exists(name.to_string()));
        }
        if self.len() >= users_max {
            return Err(UserError::TooMany(users_max));
        }
        let mut users = self.clone();
        users.by_name.insert(name, Arc::new(user));
        Ok(users)
    }

    /// The users with another in the place of the one of that name.
    ///
    /// # Errors
    /// There is none of that name, or nobody would be left who may manage the broker.
    pub fn with_changed(&self, user: User) -> Result<Self, UserError> {
        let name = Arc::clone(&user.identity.username);
        if !self.by_name.contains_key(&name) {
            return Err(UserError::NotFound(name.to_string()));
        }
        let mut users = self.clone();
        users.by_name.insert(Arc::clone(&name), Arc::new(user));
        users.keeps_an_admin(self, &name)
    }

    /// The users without the one of that name.
    ///
    /// # Errors
    /// There is none of that name, or nobody would be left who may manage the broker.
    pub fn without(&self, username: &str) -> Result<Self, UserError> {
        let mut users = self.clone();
        match users.by_name.remove(username) {
            Some(_) => users.keeps_an_admin(self, username),
            None => Err(UserError::NotFound(username.to_owned())),
        }
    }

    fn keeps_an_admin(self, before: &Self, changed: &str) -> Result<Self, UserError> {
        let has_admin = |users: &Self| users.iter().any(|user| user.is_admin());
        if has_admin(before) && !has_admin(&self) {
            return Err(UserError::LastAdmin(changed.to_owned()));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, roles: &[&str]) -> User {
        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        User::new(name, &roles, "hash".into(), None)
    }

    #[test]
    fn the_last_admin_stays() {
        let one = Users::default().with(user(ADMIN, &["admin"]), 3).expect("the first");
        let two = one.with(user("ada", &[]), 3).expect("the second");
        let last = Err(UserError::LastAdmin(ADMIN.to_owned()));
        assert_eq!(two.without(ADMIN), last);
        assert_eq!(two.with_changed(user(ADMIN, &["ops"])), last);
        let both = two.with_changed(user("ada", &["admin"])).expect("a second admin");
        let without = both.without(ADMIN).expect("ada is left");
        assert_eq!(without.without("ada"), Err(UserError::LastAdmin("ada".to_owned())));
    }

    #[test]
    fn each_name_is_there_once_and_their_number_is_bounded() {
        let one = Users::default().with(user(ADMIN, &["admin"]), 2).expect("the first");
        assert!(!one.has_others_than_admin());
        let two = one.with(user("ada", &[]), 2).expect("the second");
        assert!(two.has_others_than_admin());
        for (outcome, expected) in [
            (two.with(user("ada", &[]), 9), UserError::Exists("ada".to_owned())),
            (two.with(user("bob", &[]), 2), UserError::TooMany(2)),
            (two.with_changed(user("bob", &[])), UserError::NotFound("bob".to_owned())),
            (two.without("bob"), UserError::NotFound("bob".to_owned())),
        ] {
            assert_eq!(outcome, Err(expected));
        }
        assert_eq!(two.without("ada"), Ok(one));
    }
}
