from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import instashap
from instashap.neural import ImageExplainer, TrainingPlan

digits = load_digits()
images, labels = digits.images[:900] / 16, digits.target[:900]
flatten = FunctionTransformer(lambda images: images.reshape(len(images), -1))
model = make_pipeline(flatten, MLPClassifier(random_state=0, early_stopping=True)).fit(images, labels)

explainer = ImageExplainer(model, patches=(4, 4), plan=TrainingPlan(n_epochs=12, batch_rows=128)).fit(images)

explanation = explainer(images[:1])
ax = instashap.plots.plot_heat_map(explanation[0])  # output= names another class
ax.figure.savefig("heat_map.png")
