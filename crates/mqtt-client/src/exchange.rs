//! Proving the password by SCRAM-SHA-256 before CONNACK, without sending it (§4.12). It must not know sockets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mqtt_codec::{Auth, ConnAck, Packet, PropertyBlock, encode};
use mqtt_types::{Property, ProtocolVersion, ReasonCode};
use policy::{SCRAM_SHA_256, ScramClient};

use crate::{CloseReason, ConnectOptions, Error};

/// Random bytes of our nonce.
const NONCE_BYTES: usize = 18;

/// The client's side of an exchange.
pub struct Exchange {
    scram: ScramClient,
}

impl Exchange {
    /// The one that the options ask for, if they do.
    pub fn of(options: &ConnectOptions) -> Result<Option<Self>, Error> {
        if !options.scram {
            return Ok(None);
        }
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(Error::Random)?;
        let username = options.username.as_deref().unwrap_or_default();
        let password = options.password.as_deref().unwrap_or_default();
        let scram = ScramClient::new(username, password, &STANDARD.encode(nonce));
        Ok(Some(Self { scram }))
    }

    /// What CONNECT bears beside its other properties.
    pub fn begin(&self, properties: &mut PropertyBlock) -> Result<(), Error> {
        properties.push(&Property::AuthenticationMethod(SCRAM_SHA_256))?;
        Ok(properties.push(&Property::AuthenticationData(&self.scram.first()))?)
    }

    /// The AUTH that answers the server's.
    pub fn answer(&mut self, auth: &Auth<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        let method = auth.properties.authentication_method();
        if auth.reason_code != ReasonCode::CONTINUE_AUTHENTICATION || method != Some(SCRAM_SHA_256)
        {
            return Err(CloseReason::Unexpected("AUTH of another exchange").into());
        }
        let challenge = auth.properties.authentication_data().unwrap_or_default();
        let answer = self.scram.answer(challenge).map_err(Error::Exchange)?;
        let block = PropertyBlock::of(&[
            Property::AuthenticationMethod(SCRAM_SHA_256),
            Property::AuthenticationData(&answer),
        ])?;
        let reason_code = ReasonCode::CONTINUE_AUTHENTICATION; // `[MQTT-4.12.0-3]`
        let auth = Auth { reason_code, properties: block.properties() };
        Ok(encode(&Packet::Auth(auth), ProtocolVersion::V5, out)?)
    }

    /// Whether the server has proved that it knows the password too.
    pub fn check(&self, connack: &ConnAck<'_>) -> Result<(), Error> {
        let data = connack.properties.authentication_data().unwrap_or_default();
        self.scram.check(data).map_err(Error::Exchange)
    }
}
