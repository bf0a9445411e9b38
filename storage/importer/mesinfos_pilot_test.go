// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/record"
)

// pilotSets are the pilot's data sets in the order of its list: the kinds of
// their rows, and the files of their synthetic sets. Four have none: nobody made
// one for gas at EDF, and the two of GRDF were to come; its statements of gas
// meters lie beside them.
var pilotSets = []struct {
	label string
	kinds []string
	files []string
}{
	{"Contrat d'assurance Maif", []string{"insurance-contract", "insured-objects"}, []string{"contrat_maif"}},
	{"Foyer", []string{"household"}, []string{"foyer_maif"}},
	{"Habitations assurées", []string{"insured-home"}, []string{"domicile_maif"}},
	{"Modalités de paiement Maif", []string{"payment-terms"}, []string{"modalites_paiement_maif"}},
	{"Sinistre Maif", []string{"insurance-claim"}, []string{"sinistre_habitation", "sinistre_vehicule"}},
	{"Sociétaire Maif", []string{"customer-profile"}, []string{"societaire_maif"}},
	{"Client EDF", []string{"customer-profile"}, []string{"client_edf"}},
	{"Contrats électricité EDF", []string{"electricity-contract"}, []string{"contrat_electricite"}},
	{"Factures EDF", []string{"bills"}, []string{"facture_electricite"}}, // its only bill has a date that is none
	{"Modalités de paiement EDF", []string{"payment-schedule", "payment-terms"}, []string{"modalites_paiement_edf"}},
	{"Profil énergétique d'habitation", []string{"home-energy-profile"}, []string{"profile_energetique_habitat"}},
	{"Consommation d'électricité", []string{"electricity-period"}, []string{"consommation_electrique"}},
	{"Consommation de gaz", []string{"gas-period"}, nil},
	{"Éstimations de consommation de gaz", []string{"gas-period"}, nil},
	{"Éstimations de consommation d'électricité", []string{"electricity-period"}, []string{"estimation_consommation_edelia"}},
	{"Historique VOD / IPTV", []string{"video-history"}, []string{"vod_iptv"}},
	{"Détails d'appel  téléphonique", []string{"call-log"}, []string{"donnees_d_appel_telephonique"}},
	{"Géolocalisation Mobile", []string{"positions"}, []string{"geoloc"}},
	{"Client GrDF", []string{"customer-profile"}, nil},
	{"Consommation de Gaz", []string{"gas-daily", "gas-period"}, []string{"consommation_gazpar_journaliere", "consommation_gazpar_mensuelle"}},
	{"Adresse du point de livraison", []string{"customer-address"}, []string{"enedis_customer_usagepointaddress"}},
	{"Identité du client Enedis", []string{"customer-profile"}, []string{"enedis_customer_identity"}},
	{"Courbe de charge journalière", []string{"electricity-load-curve"}, []string{"enedis_loadcurve"}},
	{"Pic de puissance", []string{"electricity-max-power"}, []string{"enedis_maxpower"}},
	{"Électricité cosommée en 1 jour.", []string{"electricity-daily"}, []string{"enedis_energy"}},
	{"Compteur Enedis", []string{"electricity-contract"}, []string{"enedis_customer_usagepoints"}},
}

// TestPilot: the description and the synthetic set of each of the pilot's data
// sets load, and each row of them is good by the JSON Schema of its kind, as
// another library reads it.
func TestPilot(t *testing.T) {
	folder := filepath.Join(samplesFolder, "mesinfos")
	b, err := os.ReadFile(filepath.Join(folder, "catalogue", "datasets.json"))
	if err != nil {
		t.Skip("exports of banks, meters and phones, not ours to copy; each format's own tests beside it make theirs")
	}
	var list struct {
		IDs []string `json:"schema:itemListElement"`
	}
	if err := json.Unmarshal(b, &list); err != nil || len(list.IDs) != len(pilotSets) {
		t.Fatalf("%d data sets, %d here: %v", len(list.IDs), len(pilotSets), err)
	}
	labels := map[string]string{}
	validated(t, filepath.Join(folder, "catalogue", "items.json"), func(kind *record.Schema, row record.Row) {
		id, _ := kind.Index("id")
		label, _ := kind.Index("label")
		labels[row[id].String()] = row[label].String()
	})
	for i, set := range pilotSets {
		if got := labels[list.IDs[i]]; record.Str(got) != record.Str(set.label) {
			t.Errorf("data set %d (%s) is %q, not %q", i+1, list.IDs[i], got, set.label)
		}
		for _, kind := range set.kinds {
			if _, ok := catalogue.Kind(kind); !ok {
				t.Errorf("%s: no kind %s", set.label, kind)
			}
		}
		rows := 0
		for _, name := range set.files {
			rows += validated(t, filepath.Join(folder, name+".json"), func(kind *record.Schema, _ record.Row) {
				if !slices.Contains(set.kinds, kind.Kind) {
					t.Errorf("%s: a row of %s", set.label, kind.Kind)
				}
			})
		}
		t.Logf("%2d %-45s %s: %d rows", i+1, set.label, strings.Join(set.kinds, ", "), rows)
		if rows == 0 && len(set.files) > 0 && set.label != "Factures EDF" {
			t.Errorf("%s: no rows", set.label)
		}
	}
}

// validated imports a file and judges each row by the rules of its kind.
func validated(t *testing.T, path string, see func(*record.Schema, record.Row)) (rows int) {
	t.Helper()
	rules := map[string]*catalogue.Rules{}
	take := func(kind *record.Schema, row record.Row) error {
		if rules[kind.Kind] == nil {
			r, err := catalogue.Compile(kind)
			if err != nil {
				t.Fatal(err)
			}
			rules[kind.Kind] = r
		}
		rows++
		see(kind, row)
		if err := rules[kind.Kind].Check(kind.AppendJSON(nil, row)); err != nil {
			t.Errorf("%s: %s row %d: %v", filepath.Base(path), kind.Kind, rows, err)
		}
		return nil
	}
	if _, err := Read(context.Background(), File(path, Options{}), &Sink{Take: take}); err != nil {
		t.Fatal(err)
	}
	return rows
}
