//! What the columns of a file are called, in several languages.

use super::mapping::Field;

/// Lower case, with single underscores for everything that is no letter and no digit.
pub(super) fn normalised(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.trim().trim_start_matches('\u{feff}').chars() {
        if c.is_alphanumeric() {
            normal.extend(c.to_lowercase());
        } else if !normal.is_empty() && !normal.ends_with('_') {
            normal.push('_');
        }
    }
    normal.trim_end_matches('_').to_owned()
}

/// What a column of this meaning is called, the likelier name first: of `phone` and `mobile`, messages go to the mobile.
pub(super) fn synonyms(field: Field) -> impl Iterator<Item = &'static str> {
    let names = match field {
        Field::Phone => {
            "mobile mobile_phone mobile_number mobile_no cell cell_phone cellphone whatsapp \
             whatsapp_number handy handynummer mobil mobilnummer mobiltelefon mobilfunk msisdn \
             phone phone_number phonenumber phone_no telephone telephone_number telefon \
             telefonnummer tel tel_nr tel_no rufnummer portable telephone_portable téléphone \
             téléphone_portable tél numéro numero número celular móvil movil teléfono telefono \
             cellulare telefone telemóvel telefoonnummer mobiel komórka numer_telefonu numer \
             telefon_numarası cep_telefonu nomor_hp nomor_telepon simu contact_number number \
             nummer الهاتف الجوال"
        }
        Field::Country => {
            "country country_code country_iso iso_country land länderkürzel ländercode \
             laendercode pays país pais paese kraj ülke negara nchi region_code الدولة"
        }
        Field::Name => {
            "full_name fullname name display_name contact_name customer_name vollständiger_name \
             kundenname nom_complet nom nombre_completo nombre nome_completo nome naam \
             imię_i_nazwisko ad_soyad isim nama jina first_name firstname vorname prénom الاسم"
        }
        Field::ExternalId => {
            "external_id customer_id customerid customer_number contact_id client_id member_id \
             user_id kundennummer kunden_nr kunden_id kundennr id ref reference uid"
        }
        Field::OptedIn => {
            "opted_in opt_in optin optedin consent marketing_consent marketing_opt_in \
             whatsapp_opt_in consented permission subscribed newsletter einwilligung zustimmung \
             werbeeinwilligung consentement consentimiento consenso consentimento toestemming \
             zgoda onay izin persetujuan"
        }
        Field::Timezone => "timezone time_zone tz zeitzone fuseau_horaire zona_horaria fuso_orario",
        Field::Locale => "locale language lang sprache langue idioma lingua taal język dil bahasa",
    };
    names.split(' ')
}
