//! `/api/v1/users` and `/api/v1/users/{username}`.

use std::sync::Arc;

use admin_api::{ApiError, Page, UserPatch, UserSpec, UserView};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use policy::{User, UserError};
use policy_backends::{NewUser, StoreError, UserChange};
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::json_body::JsonBody;
use crate::listing::{self, ListQuery, percent_encoded};
use crate::openapi::{Refused, Taken, Unknown, Wrong};
use crate::shared::Shared;
use crate::sign_in::Identity;

/// All users, in the order of their names.
#[utoipa::path(
    get, path = "/api/v1/users", tag = "users", operation_id = "list_users",
    params(ListQuery),
    responses((status = 200, body = Page<UserView>, description = "A page of users."), Refused, Wrong),
)]
pub async fn list(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<UserView>>, Failure> {
    let users = shared.sign_in.users.store().users();
    let views = users.iter().map(|user| view(user)).collect();
    Ok(Json(listing::page(query, views, |user| &user.username)?))
}

/// Creates a user.
#[utoipa::path(
    post, path = "/api/v1/users", tag = "users", operation_id = "create_user",
    request_body = UserSpec,
    responses((status = 201, body = UserView, description = "The user.", headers(("location" = String, description = "Its path."))), Refused, Wrong, Taken),
)]
pub async fn create(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    JsonBody(UserSpec { username, password, roles }): JsonBody<UserSpec>,
) -> Result<impl IntoResponse, Failure> {
    let new = NewUser { username, password, roles };
    let user = answer(|done| shared.sign_in.users.create(new, done)).await?;
    tracing::info!(username = user.username(), %by, "user created");
    let location = format!("/api/v1/users/{}", percent_encoded(user.username()));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(view(&user))))
}

/// A user.
#[utoipa::path(
    get, path = "/api/v1/users/{username}", tag = "users", operation_id = "show_user",
    params(("username" = String, Path, description = "The user's name, percent-encoded.")),
    responses((status = 200, body = UserView, description = "The user."), Refused, Unknown),
)]
pub async fn show(
    State(shared): State<Arc<Shared>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<UserView>, Failure> {
    let name = listing::name("username", name)?;
    match shared.sign_in.users.store().get(&name) {
        Some(user) => Ok(Json(view(&user))),
        None => Err(failure(UserError::NotFound(name).into())),
    }
}

/// Changes a password, or roles.
#[utoipa::path(
    patch, path = "/api/v1/users/{username}", tag = "users", operation_id = "change_user",
    params(("username" = String, Path, description = "The user's name, percent-encoded.")),
    request_body = UserPatch,
    responses((status = 200, body = UserView, description = "The user as it is now."), Refused, Wrong, Unknown, Taken),
)]
pub async fn patch(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    name: Result<Path<String>, PathRejection>,
    JsonBody(UserPatch { username, password, roles }): JsonBody<UserPatch>,
) -> Result<Json<UserView>, Failure> {
    let name = listing::name("username", name)?;
    if username.is_some() {
        return Err(Failure::field("username", "cannot change; create another user"));
    }
    let (with_password, with_roles) = (password.is_some(), roles.is_some());
    let change = UserChange { password, roles };
    let user = answer(|done| shared.sign_in.users.change(name, change, done)).await?;
    tracing::info!(username = user.username(), with_password, with_roles, %by, "user changed");
    Ok(Json(view(&user)))
}

/// Deletes a user; the last admin stays.
#[utoipa::path(
    delete, path = "/api/v1/users/{username}", tag = "users", operation_id = "delete_user",
    params(("username" = String, Path, description = "The user's name, percent-encoded.")),
    responses((status = 204, description = "It is gone."), Refused, Unknown, Taken),
)]
pub async fn delete(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Failure> {
    let username = listing::name("username", name)?;
    answer(|done| shared.sign_in.users.remove(username.clone(), done)).await?;
    tracing::info!(username, %by, "user deleted");
    Ok(StatusCode::NO_CONTENT)
}

fn view(user: &User) -> UserView {
    UserView {
        username: user.username().to_owned(),
        roles: user.identity.roles.iter().map(|role| String::from(&**role)).collect(),
    }
}

/// Waits for the answer; a request that is dropped unanswered found too many before it.
async fn answer<T: Send + 'static>(
    ask: impl FnOnce(Box<dyn FnOnce(Result<T, StoreError>) + Send>),
) -> Result<T, Failure> {
    let (say, said) = oneshot::channel();
    ask(Box::new(move |answer| drop(say.send(answer))));
    said.await.map_err(|_| Failure::too_many(1))?.map_err(failure)
}

fn failure(error: StoreError) -> Failure {
    let api_error = match error {
        StoreError::User(error) => match error {
            UserError::NotFound(name) => ApiError::NotFound { kind: "user", name },
            UserError::Invalid { field, message } => ApiError::invalid(field, message),
            UserError::Exists(_) | UserError::LastAdmin(_) | UserError::TooMany(_) => {
                ApiError::Conflict { message: error.to_string() }
            }
        },
        error => {
            let error = with_causes(&error);
            tracing::error!("users not changed: {error}");
            ApiError::Internal { message: error }
        }
    };
    api_error.into()
}

/// An error with its causes.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
