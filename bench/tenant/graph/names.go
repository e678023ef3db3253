package graph

// The names are common ones from many countries; combined by chance they mean nobody. Addresses use the usual transliteration.

var givenNames = [64]spelling{
	{"Adaeze", "adaeze"}, {"Ahmed", "ahmed"}, {"Aiko", "aiko"}, {"Alejandro", "alejandro"}, {"Amelia", "amelia"}, {"Anders", "anders"},
	{"Aoife", "aoife"}, {"Arjun", "arjun"}, {"Astrid", "astrid"}, {"Ayşe", "ayse"}, {"Benjamin", "benjamin"}, {"Bogdan", "bogdan"},
	{"Camille", "camille"}, {"Carlos", "carlos"}, {"Chidi", "chidi"}, {"Chloé", "chloe"}, {"Daniela", "daniela"}, {"David", "david"},
	{"Elena", "elena"}, {"Emma", "emma"}, {"Fatima", "fatima"}, {"Felix", "felix"}, {"Freya", "freya"}, {"Grace", "grace"},
	{"Hannah", "hannah"}, {"Hiroshi", "hiroshi"}, {"Ibrahim", "ibrahim"}, {"Ingrid", "ingrid"}, {"Isabel", "isabel"}, {"Ivan", "ivan"},
	{"Jakub", "jakub"}, {"Jing", "jing"}, {"João", "joao"}, {"Jürgen", "juergen"}, {"Kamala", "kamala"}, {"Katarzyna", "katarzyna"},
	{"Kwame", "kwame"}, {"Lars", "lars"}, {"Leila", "leila"}, {"Lucía", "lucia"}, {"Łukasz", "lukasz"}, {"Maeve", "maeve"},
	{"Marco", "marco"}, {"María", "maria"}, {"Mei", "mei"}, {"Mohammed", "mohammed"}, {"Nadia", "nadia"}, {"Noah", "noah"},
	{"Olga", "olga"}, {"Oliver", "oliver"}, {"Paolo", "paolo"}, {"Priya", "priya"}, {"Rachel", "rachel"}, {"Rafael", "rafael"},
	{"Sanjay", "sanjay"}, {"Siobhán", "siobhan"}, {"Sofia", "sofia"}, {"Søren", "soeren"}, {"Tomasz", "tomasz"}, {"Véronique", "veronique"},
	{"Wei", "wei"}, {"Yusuf", "yusuf"}, {"Zoë", "zoe"}, {"陽子", "yoko"},
}

var familyNames = [64]spelling{
	{"Abe", "abe"}, {"Achebe", "achebe"}, {"Ali", "ali"}, {"Andersson", "andersson"}, {"Bailey", "bailey"}, {"Bauer", "bauer"},
	{"Bianchi", "bianchi"}, {"Brown", "brown"}, {"Carvalho", "carvalho"}, {"Chen", "chen"}, {"Costa", "costa"}, {"Das", "das"},
	{"Díaz", "diaz"}, {"Dubois", "dubois"}, {"Eriksen", "eriksen"}, {"Evans", "evans"}, {"Farah", "farah"}, {"Fischer", "fischer"},
	{"Flores", "flores"}, {"García", "garcia"}, {"Gupta", "gupta"}, {"Haddad", "haddad"}, {"Hansen", "hansen"}, {"Horvat", "horvat"},
	{"Ito", "ito"}, {"Ivanova", "ivanova"}, {"Jansen", "jansen"}, {"Johnson", "johnson"}, {"Kaya", "kaya"}, {"Kim", "kim"},
	{"Kowalska", "kowalska"}, {"Kumar", "kumar"}, {"Larsen", "larsen"}, {"Lee", "lee"}, {"Lindqvist", "lindqvist"}, {"López", "lopez"},
	{"Mbeki", "mbeki"}, {"Mendes", "mendes"}, {"Moreau", "moreau"}, {"Müller", "mueller"}, {"Murphy", "murphy"}, {"Nakamura", "nakamura"},
	{"Nguyen", "nguyen"}, {"Novak", "novak"}, {"O'Brien", "obrien"}, {"Okafor", "okafor"}, {"Okonkwo", "okonkwo"}, {"Olsen", "olsen"},
	{"Park", "park"}, {"Patel", "patel"}, {"Petrov", "petrov"}, {"Popescu", "popescu"}, {"Rossi", "rossi"}, {"Santos", "santos"},
	{"Schmidt", "schmidt"}, {"Silva", "silva"}, {"Singh", "singh"}, {"Suzuki", "suzuki"}, {"Tanaka", "tanaka"}, {"Virtanen", "virtanen"},
	{"Walker", "walker"}, {"Weber", "weber"}, {"Yılmaz", "yilmaz"}, {"王", "wang"},
}
