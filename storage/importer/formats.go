// SPDX-License-Identifier: Apache-2.0

package importer

// Formats are all importers. The order means nothing: the surest reads a file.
var Formats = []Format{
	// electricity, gas, water

	// banks

	// invoices, bills, receipts

	// places

	// the pilot's synthetic sets

	// known, and refused by name
}
